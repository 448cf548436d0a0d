"""Mask-predict predicts all positions, then re-masks and predicts the least confident (Ghazvininejad et al., 2019).

pass 1   p p ? ? ? ?
pass 2   p p w ? w ?    the least confident are masked again, fewer each time
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm, all_rows, ban
from paradigms.decoders.policy import best, probability
from paradigms.decoders.sampling import at_least, pick


@dataclass(frozen=True)
class MaskPredict:
    """passes: T, the number of forward passes."""

    passes: int = 10
    temperature: float = 1.0
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        at_least(self, "passes", 1)
        at_least(self, "temperature", 0)

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return mask_predict(model, canvas, noise, passes=self.passes, temperature=self.temperature)


def mask_predict(
    model: Paradigm, canvas: Canvas, noise: Noise, *, passes: int, temperature: float, first_call: int = 0
) -> Iterator[Tensor]:
    """Before pass t + 1 of T, re-masks a row's floor(H (1 - t/T)) least confident holes; others keep their score."""
    at_BH, real_BH = canvas.hole_positions()
    rows_B, holes_B = all_rows(canvas), real_BH.sum(1)
    ids_BL, hidden_BH = canvas.ids_BL, real_BH
    score_BH = torch.zeros_like(at_BH, dtype=torch.float32)
    rule, never = model.rule(canvas), model.never()
    for number in range(passes):
        logits_BHV = model.backbone(ids_BL, rule, pad_BL=canvas.pad_BL, want_BW=at_BH)
        logits_BHV = ban(logits_BHV, never)
        call = first_call + number
        token_BH = pick(logits_BHV, temperature, lambda: noise.uniform(call, rows_B, logits_BHV.shape[1:-1]))
        score_BH = probability(logits_BHV, token_BH).where(hidden_BH, score_BH)
        ids_BL = ids_BL.scatter(1, at_BH, token_BH.where(hidden_BH, ids_BL.gather(1, at_BH)))
        yield ids_BL
        hidden_BH = best(-score_BH, real_BH, holes_B * (passes - number - 1) // passes)
        if not hidden_BH.any():
            return
        ids_BL = ids_BL.scatter(1, at_BH, ids_BL.gather(1, at_BH).masked_fill(hidden_BH, model.vocabulary.mask))
