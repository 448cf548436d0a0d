"""How far a model strays once it reads its own words: every law it wrote from, beside the exact one.

A hook keeps the law behind each token that a decoder commits, whatever its order; the task says what the law is, given
the tokens committed before. Once along texts of the model's own, once along the data's, which the hook makes it write:
the difference is exposure bias (after Arora et al., 2022), on one axis for all paradigms, the order of commitment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.trace import judged_places

ExactLaw = Callable[[Sequence[int | None]], Tensor]
"""From the holes' tokens, None where open, to q(token | the known), (holes, V). Raises ValueError if impossible."""


@dataclass(frozen=True)
class Commitment:
    """A hole that a call wrote: which, with what token, drawn from what law (V,)."""

    hole: int
    token: int
    law_V: Tensor


@torch.inference_mode()
def commitments(
    paradigm: Paradigm, canvas: Canvas, noise: Noise, truth: Sequence[int] | None
) -> list[list[Commitment]]:
    """What every call commits on a canvas of one row; truth: the tokens of its holes, which it is made to write."""
    laws: dict[int, Tensor] = {}
    places = canvas.holes_BL[0].nonzero()[:, 0].tolist()
    told = {} if truth is None else dict(zip(places, truth, strict=True))

    def watch(_: object, args: tuple[Any, ...], named: dict[str, Any], logits_BWV: Tensor) -> None:
        place_W = judged_places(args, named, paradigm.vocabulary.mask)[0].tolist()
        logits_BWV[..., paradigm.never()] = -torch.inf
        laws.update(zip(place_W, logits_BWV[0].double().softmax(-1), strict=True))
        for number, place in enumerate(place_W):
            if place in told:
                logits_BWV[0, number] = -torch.inf
                logits_BWV[0, number, told[place]] = 0

    handle, found, before = paradigm.backbone.register_forward_hook(watch, with_kwargs=True), [], canvas.ids_BL[0]
    try:
        for ids_BL in paradigm.decode(canvas, noise):
            written = [hole for hole, place in enumerate(places) if ids_BL[0, place] != before[place]]
            drawn = [hole for hole in written if places[hole] in laws]  # ends behind the end are filled in, not drawn
            found.append([Commitment(hole, int(ids_BL[0, places[hole]]), laws[places[hole]]) for hole in drawn])
            laws.clear()
            before = ids_BL[0].clone()
    finally:
        handle.remove()
    return found


def divergences(calls: Sequence[Sequence[Commitment]], exact: ExactLaw, holes: int) -> list[float]:
    """KL(exact || model) of every commitment in order, nats; ends where what was written is impossible."""
    known: list[int | None] = [None] * holes
    values: list[float] = []
    for committed in calls:
        try:
            exact_HV = exact(known)
        except ValueError:
            break
        for one in committed:
            q_V = exact_HV[one.hole]
            values.append(float((q_V * (q_V / one.law_V).log()).masked_fill(q_V == 0, 0.0).sum()))
            known[one.hole] = one.token
    return values
