"""Negative log-likelihood of the references under the model and, where it is known, the data distribution."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from tasks.base import Alphabet, Example
from wordways.run.noise import SeededNoise
from wordways.run.subject import Subject


@torch.inference_mode()
def likelihood(
    subject: Subject, texts: Sequence[str], items: int, batch: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Negative log-likelihoods, nats, of the references of the first `items` examples of every stratum, by item.

    The NLL under the data distribution is added where the task knows it. Where the task also knows all conditionals,
    `apart_nats` is the references' NLL under the product of the marginals, and `own` holds the NLLs of the model's own
    possible texts under both distributions.
    """
    taken: Counter[str] = Counter()
    chosen = []
    for index, example in enumerate(subject.examples):
        taken[example.stratum] += 1
        if taken[example.stratum] <= items:
            chosen.append(index)
    asked = [subject.examples[index] for index in chosen]
    found = nats_of(subject, asked, batch, advance)
    own = apart = None
    marginals = subject.text.task.conditionals([None] * len(subject.rows[0].target))
    if marginals is not None:
        words = [example.target.split() for example in asked]
        apart = [-sum(math.log(p[word]) for p, word in zip(marginals, row, strict=True)) for row in words]
        written = [replace(subject.examples[index], target=texts[index]) for index in chosen]
        whole = [one for one in written if math.isfinite(subject.text.task.nats(one, one.target) or 0)]
        own = nats_of(subject, whole, batch, lambda _: None) | {"texts": len(written)} if whole else None
    return {**found, "item_ids": [example.id for example in asked], "own": own, "apart_nats": apart}


def nats_of(
    subject: Subject, examples: Sequence[Example], batch: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Likelihood of every target: kind, nats, se, tokens, exact (in addition to a bound; None if unknown), law_nats.

    law_nats: the NLL under the data distribution, None if unknown. Subword texts also have their `bytes`, which do not
    depend on the tokenizer.
    """
    text, paradigm = subject.text, subject.paradigm
    of = replace(subject, examples=list(examples), rows=text.encode(examples))
    found: dict[int, tuple[float | None, ...]] = {}
    kind = ""
    for indices in of.chunks(batch, range(len(examples))):
        exactly = [paradigm.length != "eos"] * len(indices)
        canvas = text.truth([of.rows[index] for index in indices], exactly).to(of.device)
        names = [f"likelihood/{examples[index].id}" for index in indices]
        result = paradigm.log_likelihood(canvas, SeededNoise(of.seed, names, of.device))
        tokens_B = canvas.text_and_end(text.vocabulary.eos).sum(1)
        exact_B = torch.full_like(result.nats_B, torch.nan) if result.exact_B is None else result.exact_B
        kind = result.kind
        columns = (-result.nats_B, result.se_B, tokens_B, -exact_B)
        for index, *values in zip(indices, *(column.tolist() for column in columns), strict=True):
            found[index] = tuple(known(value) for value in values)
        advance(len(indices))
    columns = [list(column) for column in zip(*(found[index] for index in range(len(examples))), strict=True)]
    nats, se, tokens, exact = columns
    law = [text.task.nats(example, example.target) for example in examples]
    own_words = isinstance(vocabulary := text.task.vocabulary(), Sequence) and not isinstance(vocabulary, Alphabet)
    size = {} if own_words else {"bytes": [len(example.target.encode()) for example in examples]}
    return size | {
        "kind": kind,
        "nats": nats,
        "se": se,
        "tokens": tokens,
        "exact": exact if any(value is not None for value in exact) else None,
        "law_nats": [None if value is None else known(value) for value in law],
    }


def known(value: float) -> float | None:
    """None for NaN (unknown) and infinity (the NLL of an impossible text), which JSON cannot represent."""
    return value if math.isfinite(value) else None
