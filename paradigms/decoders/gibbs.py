"""Gibbs sampling masks one position at a time and samples it again given all others (Wang and Cho, 2019).

pass 1   p p ? ? ? ?
pass 5   p p w ? w w    one position per pass, in random order, none for a second time before all had a first
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import ORDER, Canvas, Noise, Paradigm, all_rows, ban
from paradigms.decoders.sampling import at_least, keep_top_k, pick


@dataclass(frozen=True)
class Gibbs:
    """updates: passes, at least one per hole; burn_in: first passes, which sample without top-k
    truncation; with as many as updates there is none, nor at temperature 0."""

    updates: int = 500
    burn_in: int = 250
    top_k: int = 100
    temperature: float = 1.0
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        for name in ("updates", "top_k"):
            at_least(self, name, 1)
        for name in ("burn_in", "temperature"):
            at_least(self, name, 0)
        if self.burn_in > self.updates:
            raise ValueError(f"burn_in={self.burn_in}: must be at most updates={self.updates}")

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        at_BH, real_BH = canvas.hole_positions()
        rows_B, ids_BL = all_rows(canvas), canvas.ids_BL.clone()
        visits_BH = torch.zeros_like(at_BH, dtype=torch.float64).masked_fill(~real_BH, torch.inf)
        rule, never = model.rule(canvas), model.never()
        for call in range(max(self.updates, at_BH.shape[1])):
            # the least visited hole, ties broken at random: sweeps in random order
            turn_B = (visits_BH + noise.uniform(call, rows_B, at_BH.shape[1:], ORDER)).argmin(1)
            visits_BH[rows_B, turn_B] += 1
            at_B1 = at_BH.gather(1, turn_B[:, None])
            ids_BL.scatter_(1, at_B1, model.vocabulary.mask)
            logits_BV = model.backbone(ids_BL, rule, pad_BL=canvas.pad_BL, want_BW=at_B1)[:, 0]
            logits_BV = ban(logits_BV, never)
            if call >= self.burn_in:
                logits_BV = keep_top_k(logits_BV, self.top_k)
            token_B = pick(logits_BV, self.temperature, lambda: noise.uniform(call, rows_B, ()))
            ids_BL.scatter_(1, at_B1, token_B[:, None])
            yield ids_BL
