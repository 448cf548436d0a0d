"""Error detection: whether a paradigm's token-level negative log-likelihoods rank a draft's wrong tokens highest."""

from collections.abc import Sequence
from typing import Any

import torch

from wordways.run.scores import tidy
from wordways.run.subject import Subject


@torch.inference_mode()
def detection(subject: Subject, batch: int) -> dict[str, Any]:
    """AUROC, for every draft, of -ln p as a detector of wrong tokens; None where all tokens are right or all wrong."""
    found: list[float | None] = [None] * len(subject.rows)
    for indices in subject.chunks(batch, range(len(subject.rows))):
        canvas = subject.blank(indices)
        nats_BH, counted_BH = subject.paradigm.token_nats(canvas, subject.noise(indices, "detection"))
        draft_BH = canvas.ids_BL.gather(1, canvas.hole_positions()[0])
        for index, *columns in zip(indices, nats_BH.cpu(), draft_BH.cpu(), counted_BH.cpu(), strict=True):
            nats_H, draft_H, counted_H = columns
            by_error: dict[bool, list[float]] = {True: [], False: []}
            # the lengths differ where a draft ends too early or has no EOS
            shown = zip(nats_H[counted_H].tolist(), draft_H[counted_H].tolist(), subject.rows[index].target)  # noqa: B905
            for nats, draft, right in shown:
                by_error[draft != right].append(nats)
            found[index] = auroc(by_error[True], by_error[False])
    return {"unit": "share", "higher_is_better": True, "items": [tidy(value) for value in found]}


def auroc(above: Sequence[float], below: Sequence[float]) -> float | None:
    """The probability that a value of `above` exceeds one of `below`, ties counting half; None if either is empty."""
    pairs = [(a > b) + (a == b) / 2 for a in above for b in below]
    return sum(pairs) / len(pairs) if pairs else None
