"""From all masks to text in a few passes: each pass predicts every hole and keeps some of what it predicted.

    call 1   p p ? ? ? ?
    call 2   p p ? w ? w    written tokens stay; which and how many are written is order x count x block
    call 3   p p w w ? w

Masked diffusion in the manner of LLaDA (Nie et al., 2025; Sahoo et al., 2024): trained at every masking rate alike,
which bounds the likelihood. With one hole a pass in random order it draws from its exact law; with k a pass the k are
drawn as if independent, and the loss of quality is the price.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paradigms.attention import AttentionRule, everywhere
from paradigms.backbone import Backbone
from paradigms.base import ORDER, Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows
from paradigms.policy import ORDERS, Order, best, hide_exactly, probability, quota
from paradigms.sampling import at_least, ban, pick

BOUND_DRAWS = 128  # Monte-Carlo draws of the masking rate for one likelihood


@dataclass(frozen=True)
class DiffusionDecoder:
    """order x count x block. steps: passes in all; per_pass: holes a pass; neither: one hole a pass.

    threshold: a pass also writes every hole whose token is at least so probable (Wu et al., 2025).
    block: holes written left to right in blocks of this size, semi-autoregressively.
    """

    temperature: float = 1.0
    order: Order = "random"
    steps: int | None = None
    per_pass: int | None = None
    threshold: float | None = None
    block: int | None = None
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)
        for name in ("steps", "per_pass", "block"):
            at_least(self, name, 1)
        counts = [f"{name}={getattr(self, name)}" for name in ("steps", "per_pass", "threshold")]
        given = [count for count in counts if not count.endswith("=None")]
        if len(given) > 1:
            raise ValueError(f"{given[1]}: cannot go with {given[0]}; set one of them to null")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold={self.threshold}: must be from 0 to 1")


class Diffusion(Paradigm):
    """log p(text) >= E_l [L/l sum over l masked tokens of log p(x_i | the others)], l uniform in 1..L."""

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, decoder: DiffusionDecoder):
        super().__init__(vocabulary, backbone)
        self.decoder, self.length = decoder, decoder.length

    def rule(self, canvas: Canvas) -> AttentionRule:
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """Exactly l of L masked and weight L/l: the lower-variance form of rate t and weight 1/t; l stratified."""
        at_BH, real_BH = canvas.hole_positions()
        rows_B, holes_B = all_rows(canvas), real_BH.sum(1)
        stratum_B = (noise.uniform(1, rows_B[:1], (1,))[0] + rows_B / len(rows_B)) % 1
        masked_B = 1 + (stratum_B * holes_B).long()
        hidden_BH = hide_exactly(real_BH, masked_B, noise.uniform(0, rows_B, at_BH.shape[1:]))
        nats_BH = self.masked_nats(canvas, at_BH, hidden_BH)
        weighted_B = nats_BH.sum(1) * holes_B / masked_B
        return Loss(weighted_B.sum() / holes_B.sum(), hidden_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        how, rule, rows_B = self.decoder, self.rule(canvas), all_rows(canvas)
        at_BH, open_BH = canvas.hole_positions()
        H, ids_BL = at_BH.shape[1], canvas.ids_BL
        block_BH = torch.arange(H, device=at_BH.device).expand_as(at_BH) // (how.block or H)
        blocks_B = block_BH.masked_fill(~open_BH, -1).amax(1) + 1
        step_B = masks_B = last_B = torch.full_like(rows_B, -1)
        for call in range(H):
            if not open_BH.any():
                return
            now_B = block_BH.masked_fill(~open_BH, H).amin(1)  # every row is in its leftmost unfinished block
            inside_BH = open_BH & (block_BH == now_B[:, None])
            step_B = (step_B + 1).masked_fill(now_B != last_B, 0)
            masks_B, last_B = inside_BH.sum(1).where(now_B != last_B, masks_B), now_B
            logits_BHV = self.backbone(ids_BL, rule, pad_BL=canvas.pad_BL, want_BW=at_BH)
            logits_BHV = ban(logits_BHV, self.never())
            token_BH = pick(logits_BHV, how.temperature, lambda: noise.uniform(call, rows_B, logits_BHV.shape[1:]))
            score_BH = ORDERS[how.order](logits_BHV, token_BH, lambda: noise.uniform(call, rows_B, (H,), ORDER))
            write_BH = best(score_BH, inside_BH, self.count(masks_B, step_B, now_B, blocks_B))
            if how.threshold is not None:
                write_BH |= inside_BH & (probability(logits_BHV, token_BH) >= how.threshold)
            ids_BL = ids_BL.scatter(1, at_BH, token_BH.where(write_BH, ids_BL.gather(1, at_BH)))
            open_BH = open_BH & ~write_BH
            yield ids_BL

    def count(self, masks_B: Tensor, step_B: Tensor, block_B: Tensor, blocks_B: Tensor) -> Tensor:
        """Holes each row writes in this pass: `steps` are shared over the blocks, a block's masks over its passes."""
        if self.decoder.steps is None:
            return torch.full_like(masks_B, self.decoder.per_pass or 1)
        passes_B = quota(torch.full_like(masks_B, self.decoder.steps), blocks_B.clamp(min=1), block_B).clamp(min=1)
        return quota(masks_B, passes_B, step_B)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The bound, with l stratified over the draws; the standard error takes the draws as independent."""
        at_BH, real_BH = canvas.hole_positions()
        rows_B, holes_B = all_rows(canvas), real_BH.sum(1)
        draws_DB = []
        for draw in range(BOUND_DRAWS):
            stratum_B = (draw + noise.uniform(draw, rows_B, (1,), ORDER)[:, 0]) / BOUND_DRAWS
            masked_B = 1 + (stratum_B * holes_B).long()
            hidden_BH = hide_exactly(real_BH, masked_B, noise.uniform(draw, rows_B, at_BH.shape[1:]))
            nats_BH = self.masked_nats(canvas, at_BH, hidden_BH)
            draws_DB.append(-nats_BH.double().sum(1) * holes_B / masked_B)
        bound_DB = torch.stack(draws_DB)
        return Likelihood("bound", bound_DB.mean(0), bound_DB.std(0) / BOUND_DRAWS**0.5)

    def masked_nats(self, canvas: Canvas, at_BH: Tensor, hidden_BH: Tensor) -> Tensor:
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        ids_BL = canvas.ids_BL.scatter(1, at_BH, truth_BH.masked_fill(hidden_BH, self.vocabulary.mask))
        logits_BHV = self.backbone(ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_BH)
        return self.nats(logits_BHV, truth_BH, hidden_BH)
