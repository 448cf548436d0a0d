"""Classifier-free guidance amplifies the prompt's effect (Ho and Salimans, 2022; for text Nie et al., 2024).

pass 1   p p ? w    and next to it    ? ? ? w    one doubled batch, that is, two function evaluations per text
"""

import torch
from torch import Tensor

from paradigms.base import Canvas, Paradigm
from paradigms.trunk.attention import AttentionRule
from paradigms.trunk.backbone import Backbone
from paradigms.trunk.cache import Cache


class Guided:
    """Replaces a model's backbone: logits l_u + (w + 1)(l - l_u), where l_u are computed with the context masked."""

    def __init__(self, model: Paradigm, canvas: Canvas, weight: float):
        self.backbone, self.weight, self.mask = model.backbone, weight, model.vocabulary.mask
        self.context_BL = ~canvas.holes_BL

    @staticmethod
    def around(model: Paradigm, canvas: Canvas, weight: float | None) -> "Backbone | Guided":
        return model.backbone if weight is None else Guided(model, canvas, weight)

    def cache(self, rows: int, positions: int) -> Cache:
        return self.backbone.cache(2 * rows, positions)

    def __call__(
        self,
        ids_BQ: Tensor,
        rule: AttentionRule,
        *,
        pad_BL: Tensor,
        at_BQ: Tensor | None = None,
        want_BW: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        context_BQ = self.context_BL if at_BQ is None else self.context_BL.gather(1, at_BQ)
        logits_2BWV = self.backbone(
            torch.cat((ids_BQ, ids_BQ.masked_fill(context_BQ, self.mask))),
            rule,
            pad_BL=pad_BL.repeat(2, 1),
            at_BQ=None if at_BQ is None else at_BQ.repeat(2, 1),
            want_BW=None if want_BW is None else want_BW.repeat(2, 1),
            cache=cache,
        )
        told_BWV, untold_BWV = logits_2BWV.chunk(2)
        mixed_BWV = untold_BWV + (self.weight + 1) * (told_BWV - untold_BWV)
        return mixed_BWV.where(told_BWV.isfinite(), told_BWV)  # banned tokens stay banned
