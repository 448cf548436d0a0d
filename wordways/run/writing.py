"""The texts that a paradigm generates for a test set, and the drafts that it revises."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise
from wordways.run.measure import Drafter
from wordways.run.subject import Subject
from wordways.run.trace import check_written


def write_texts(subject: Subject, batch: int, advance: Callable[[int], None]) -> list[str]:
    """The text written for every test item, up to its end token."""
    return written(subject, subject.paradigm.decode, "", batch, advance)


def drafted(subject: Subject, drafter: Drafter, batch: int, advance: Callable[[int], None]) -> Subject:
    """The same, every text to be written from a draft: the paradigm's own, by another decoder and with other draws."""
    drafts = written(subject, partial(drafter, subject.paradigm), "draft/", batch, advance)
    examples = [replace(example, draft=draft) for example, draft in zip(subject.examples, drafts, strict=True)]
    return replace(subject, examples=examples, rows=subject.text.encode(examples))


@torch.inference_mode()
def written(
    subject: Subject,
    decode: Callable[[Canvas, Noise], Iterator[Tensor]],
    draws: str,
    batch: int,
    advance: Callable[[int], None],
) -> list[str]:
    """What a decoder writes for every test item; `draws` stands before the items' names where noise is seeded.

    Raises RuntimeError where it leaves a hole open or touches what stands around the holes.
    """
    texts = [""] * len(subject.rows)
    for indices in subject.chunks(batch, range(len(subject.rows))):
        canvas = subject.blank(indices)
        ids_BL = deque(decode(canvas, subject.noise(indices, draws)), maxlen=1).pop()
        check_written(ids_BL, canvas, subject.text.vocabulary.mask)
        for index, ids_L, holes_L in zip(indices, ids_BL.cpu(), canvas.holes_BL.cpu(), strict=True):
            texts[index] = subject.text.read(subject.text.useful(ids_L, holes_L))
        advance(len(indices))
    return texts
