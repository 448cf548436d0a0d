"""From all masks to text in a few passes: each pass predicts every hole and keeps some of what it predicted.

    call 1   p p ? ? ? ?
    call 2   p p ? w ? w    written tokens stay; which and how many are written is order x count x block
    call 3   p p w w ? w

Masked diffusion in the manner of LLaDA (Nie et al., 2025; Sahoo et al., 2024): trained at every masking rate alike,
which bounds the likelihood. With one hole a pass in random order it draws from its exact law; with k a pass the k are
drawn as if independent, and the loss of quality is the price.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from paradigms.attention import AttentionRule, everywhere
from paradigms.backbone import Backbone
from paradigms.base import ORDER, Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows
from paradigms.orders import FEW_HOLES, expected_nats, hidden_sets, nats_over_orders
from paradigms.policy import DETERMINISTIC, ORDERS, Order, best, hide_exactly, probability, quota
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


class Pass(NamedTuple):
    """What one call did: the canvas behind it, the laws it saw, the holes it wrote."""

    ids_BL: Tensor
    logits_BHV: Tensor
    write_BH: Tensor


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
        def draw(call: int, logits_BHV: Tensor) -> Tensor:
            rows_B, shape = all_rows(canvas), logits_BHV.shape[1:]
            return pick(logits_BHV, self.decoder.temperature, lambda: noise.uniform(call, rows_B, shape))

        return (one.ids_BL for one in self.passes(canvas, noise, draw))

    def passes(self, canvas: Canvas, noise: Noise, choose: Callable[[int, Tensor], Tensor]) -> Iterator[Pass]:
        """Call by call from masks; `choose` says which token each hole would get, the decoder which of them stay."""
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
            token_BH = choose(call, logits_BHV)
            score_BH = ORDERS[how.order](logits_BHV, token_BH, lambda: noise.uniform(call, rows_B, (H,), ORDER))
            write_BH = best(score_BH, inside_BH, self.count(masks_B, step_B, now_B, blocks_B))
            if how.threshold is not None:
                write_BH |= inside_BH & (probability(logits_BHV, token_BH) >= how.threshold)
            ids_BL = ids_BL.scatter(1, at_BH, token_BH.where(write_BH, ids_BL.gather(1, at_BH)))
            open_BH = open_BH & ~write_BH
            yield Pass(ids_BL, logits_BHV, write_BH)

    def count(self, masks_B: Tensor, step_B: Tensor, block_B: Tensor, blocks_B: Tensor) -> Tensor:
        """Holes each row writes in this pass: `steps` are shared over the blocks, a block's masks over its passes."""
        if self.decoder.steps is None:
            return torch.full_like(masks_B, self.decoder.per_pass or 1)
        passes_B = quota(torch.full_like(masks_B, self.decoder.steps), blocks_B.clamp(min=1), block_B).clamp(min=1)
        return quota(masks_B, passes_B, step_B)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Exact where the order does not look at what was drawn; else the bound over all orders, one hole a pass.

        Beside a bound stands the exact law of random order where the holes are few enough to sum over all orders.
        """
        how, holes_B = self.decoder, canvas.holes_BL.sum(1)
        if how.order in DETERMINISTIC and how.threshold is None:
            return self.exact(canvas, noise)
        exact_B = torch.full_like(holes_B, torch.nan, dtype=torch.float64)
        law = Likelihood("bound", torch.zeros_like(exact_B), torch.zeros_like(exact_B))
        if int(holes_B.max()) > FEW_HOLES:
            law = self.bound(canvas, noise)
        for holes in range(1, FEW_HOLES + 1):
            rows_b = (holes_B == holes).nonzero()[:, 0]
            if len(rows_b):
                expected_b, exact_b = self.over_orders(canvas.rows(rows_b))
                law.nats_B[rows_b], law.se_B[rows_b], exact_B[rows_b] = -expected_b, 0.0, -exact_b
        in_random_order = how.order == "random" and how.threshold is None and how.block is None
        return replace(law, exact_B=exact_B) if in_random_order else law

    def exact(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The decoder's own passes, made to write this text; a bound where a text may end in more ways than one."""
        at_BH, real_BH = canvas.hole_positions()
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        masked = Canvas(
            canvas.ids_BL.masked_fill(canvas.holes_BL, self.vocabulary.mask), canvas.holes_BL, canvas.pad_BL
        )
        nats_B = torch.zeros(len(at_BH), dtype=torch.float64, device=at_BH.device)
        for one in self.passes(masked, noise, lambda call, logits_BHV: truth_BH):
            nats_B += self.nats(one.logits_BHV, truth_BH, one.write_BH).double().sum(1)
        ends = bool(((truth_BH == self.vocabulary.eos) & real_BH).any())
        return Likelihood("bound" if ends else "exact", -nats_B, torch.zeros_like(nats_B))

    def bound(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """With l stratified over the draws; the standard error takes the draws as independent."""
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

    def over_orders(self, canvas: Canvas) -> tuple[Tensor, Tensor]:
        """Of rows with as many holes each, nats (B,): the bound unsampled, and the law of the decoder's passes."""
        at_BH, _ = canvas.hole_positions()
        H = at_BH.shape[1]
        nats_SBH = torch.stack(
            [self.masked_nats(canvas, at_BH, hidden_H.expand(at_BH.shape)) for hidden_H in hidden_sets(H, at_BH.device)]
        ).double()
        left_1, quotas = at_BH.new_tensor([H]), []
        while (left := H - sum(quotas)) > 0:
            said = self.count(left_1, left_1 * 0 + len(quotas), left_1 * 0, left_1 * 0 + 1)
            quotas.append(min(left, int(said)))
        return expected_nats(nats_SBH), nats_over_orders(nats_SBH, quotas)

    def masked_nats(self, canvas: Canvas, at_BH: Tensor, hidden_BH: Tensor) -> Tensor:
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        ids_BL = canvas.ids_BL.scatter(1, at_BH, truth_BH.masked_fill(hidden_BH, self.vocabulary.mask))
        logits_BHV = self.backbone(ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_BH)
        return self.nats(logits_BHV, truth_BH, hidden_BH)
