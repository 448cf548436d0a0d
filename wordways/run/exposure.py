"""Exposure bias: KL divergence between exact and predictive distributions, on generated and on reference prefixes.

Every token that a decoder commits, whatever its order, comes from a predictive distribution of the model; the task
gives the exact distribution, conditioned on the tokens committed before. Both are compared once along the model's own
texts and once along the references, which the model is forced to generate. The difference is exposure bias (after
Arora et al., 2022), measured for all paradigms along the same axis, the order of commitment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.run.laws import watched_calls
from wordways.run.subject import Subject

ExactLaw = Callable[[Sequence[int | None]], Tensor]
"""From the tokens at the holes, None where masked, to q(token | known tokens), (holes, V). ValueError if impossible."""


@dataclass(frozen=True)
class Commitment:
    """One position that a forward pass committed: its number among the holes, its token, its distribution (V,)."""

    hole: int
    token: int
    law_V: Tensor


@torch.inference_mode()
def exposure(subject: Subject, items: int) -> dict[str, Any] | None:
    """KL(exact || model) of every commitment in nats, by item: `own` along generated texts, `data` along references.

    None where the task does not know the exact distribution, or the paradigm predicts none for each position.
    """
    task, words = subject.text.task, subject.text
    if not subject.paradigm.aligned or task.conditionals([None] * len(subject.rows[0].target)) is None:
        return None

    def exact(known: Sequence[int | None]) -> Tensor:
        laws = task.conditionals([None if token is None else words.read([token]) for token in known]) or []
        table_HV = torch.zeros(len(laws), words.vocabulary.size, dtype=torch.float64)
        for row_V, law in zip(table_HV, laws, strict=True):
            for word, p in law.items():
                row_V[words.tokenizer.token_to_id(word)] = p
        return table_HV

    found: dict[str, Any] = {"own": [], "data": []}
    for index, row in enumerate(subject.rows[:items]):
        for name, truth in (("own", None), ("data", row.target)):
            calls = commitments(subject.paradigm, subject.blank([index]), subject.noise([index]), truth)
            found[name].append(divergences(calls, exact, len(row.target)))
    return found


def commitments(
    paradigm: Paradigm, canvas: Canvas, noise: Noise, truth: Sequence[int] | None
) -> list[list[Commitment]]:
    """The commitments of every forward pass on a canvas of one row; truth: tokens that the model is forced to commit.

    EOS tokens after the first are filled in without a prediction and so are left out.
    """
    return [
        [Commitment(hole, token, call.laws[hole]) for hole, token in call.wrote.items() if hole in call.laws]
        for call in watched_calls(paradigm, canvas, noise, truth)
    ]


def divergences(calls: Sequence[Sequence[Commitment]], exact: ExactLaw, holes: int) -> list[float]:
    """KL(exact || model) of every commitment in order, nats; stops where the committed tokens become impossible."""
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
