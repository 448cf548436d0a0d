"""How far a model strays once it reads its own words: every law it wrote from, beside the exact one.

Behind each token that a decoder commits, whatever its order, stands a law of the model's; the task says what the law
is, given the tokens committed before. Once along texts of the model's own, once along the data's, which it is made to
write: the difference is exposure bias (after Arora et al., 2022), on one axis for all, the order of commitment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.run.laws import watched_calls

ExactLaw = Callable[[Sequence[int | None]], Tensor]
"""From the holes' tokens, None where open, to q(token | the known), (holes, V). Raises ValueError if impossible."""


@dataclass(frozen=True)
class Commitment:
    """A hole that a call wrote: which, with what token, drawn from what law (V,)."""

    hole: int
    token: int
    law_V: Tensor


def commitments(
    paradigm: Paradigm, canvas: Canvas, noise: Noise, truth: Sequence[int] | None
) -> list[list[Commitment]]:
    """What every call commits on a canvas of one row; truth: the tokens of its holes, which it is made to write.

    Ends behind the end are filled in, not drawn.
    """
    return [
        [Commitment(hole, token, call.laws[hole]) for hole, token in call.wrote.items() if hole in call.laws]
        for call in watched_calls(paradigm, canvas, noise, truth)
    ]


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
