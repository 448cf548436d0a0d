"""An approximate cache keeps the keys and values outside the current block from the block's first pass on.

    prefix   p p w w | ? w | ? ?      the first pass reads everything, later ones the block and everything after it
    dual     p p w w | ? w | ? ?      the first pass reads everything, later ones only the block

The method is Fast-dLLM (Wu et al., 2025). Under bidirectional attention the cached values depend on the block, too, so
that they are exact in the first pass only; the approximation error is the amount by which a refresh would change them.
"""

from typing import Literal

import torch
from torch import Tensor

from paradigms.base import Canvas
from paradigms.decoders.guidance import Guided
from paradigms.trunk.attention import AttentionRule
from paradigms.trunk.backbone import Backbone


class BlockCache:
    """refresh: passes within a block between two reads of the whole canvas; None reads it only at the block's start."""

    def __init__(
        self, kind: Literal["prefix", "dual"], refresh: int | None, backbone: Backbone | Guided, canvas: Canvas
    ):
        self.kind, self.refresh, self.backbone, self.canvas = kind, refresh, backbone, canvas
        self.cache = backbone.cache(*canvas.ids_BL.shape)

    def read(self, ids_BL: Tensor, rule: AttentionRule, block_BK: Tensor, at_BW: Tensor, step: int) -> Tensor:
        """Logits (B, W, V) of the columns `at_BW` in pass `step` over the block at the columns `block_BK`."""
        pad_BL = self.canvas.pad_BL
        if step == 0 or (self.refresh is not None and step % self.refresh == 0):
            return self.backbone(ids_BL, rule, pad_BL=pad_BL, want_BW=at_BW, cache=self.cache)
        # a row with too few holes repeats its first position, so that no other position is recomputed
        first_B1 = block_BK[:, :1]
        at_BQ = block_BK.where(self.canvas.holes_BL.gather(1, block_BK), first_B1)
        if self.kind == "prefix":
            last = ids_BL.shape[1] - 1
            at_BQ = (first_B1 + torch.arange(last + 1 - int(first_B1.min()), device=at_BQ.device)).clamp(max=last)
        want_BW = (at_BW[:, :, None] == at_BQ[:, None]).byte().argmax(-1)
        return self.backbone(
            ids_BL.gather(1, at_BQ), rule, pad_BL=pad_BL, at_BQ=at_BQ, want_BW=want_BW, cache=self.cache
        )
