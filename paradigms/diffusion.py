"""Masked diffusion generates from all masks in a few passes, each of which commits some of its predictions.

    pass 1   p p ? ? ? ?
    pass 2   p p ? w ? w    committed tokens stay; order, count and block decide which and how many are committed
    pass 3   p p w w ? w

The model follows LLaDA (Nie et al., 2025; Sahoo et al., 2024): it trains on all masking rates with equal probability,
which yields a bound on the likelihood. With one position per pass in random order it samples from its exact
distribution; with k per pass the k tokens are sampled as if they were independent, at a cost in quality.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from paradigms.base import (
    Canvas,
    Likelihood,
    Loss,
    Noise,
    Paradigm,
    Vocabulary,
    all_rows,
    given_the_rest,
    sampled_bound,
    strata,
)
from paradigms.decoders.commit_once import CommitOnce
from paradigms.decoders.gibbs import Gibbs
from paradigms.decoders.mask_predict import MaskPredict
from paradigms.decoders.orders import FEW_HOLES, expected_nats, hidden_sets, nats_over_orders
from paradigms.decoders.policy import hide_share
from paradigms.decoders.remask import Remask
from paradigms.decoders.repredict import RepredictAll
from paradigms.decoders.revised import Revised
from paradigms.trunk.attention import AttentionRule, everywhere
from paradigms.trunk.backbone import Backbone

Decoder = CommitOnce | MaskPredict | RepredictAll | Remask | Gibbs | Revised


class Diffusion(Paradigm):
    """log p(text) >= E_l [L/l sum over l masked tokens of log p(x_i | unmasked tokens)], l uniform in 1..L."""

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, decoder: Decoder):
        super().__init__(vocabulary, backbone)
        self.decoder, self.length = decoder, decoder.length

    def rule(self, canvas: Canvas) -> AttentionRule:
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """Masks exactly l of L, weighted L/l, with l stratified: the lower-variance form of rate t and weight 1/t."""
        at_BH, real_BH = canvas.hole_positions()
        chance_BH, holes_B = noise.uniform(0, all_rows(canvas), at_BH.shape[1:]), real_BH.sum(1)
        hidden_BH, masked_B = hide_share(real_BH, strata(canvas, noise, 1), chance_BH)
        nats_BH = self.masked_nats(canvas, at_BH, hidden_BH, training=True)
        weighted_B = nats_BH.sum(1) * holes_B / masked_B
        return Loss([(weighted_B.sum(), holes_B.sum())], hidden_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Exact where no sampled token decides what is committed; else the bound over all orders, one hole per pass.

        A bound is accompanied by the exact likelihood of random order where the holes are few enough to sum over all
        orders.
        """
        how, holes_B = self.decoder, canvas.holes_BL.sum(1)
        if isinstance(how, CommitOnce) and how.never_looks_at_draws():
            return self.exact(how, canvas, noise)
        exact_B = torch.full_like(holes_B, torch.nan, dtype=torch.float64)
        law = Likelihood("bound", torch.zeros_like(exact_B), torch.zeros_like(exact_B))
        if int(holes_B.max()) > FEW_HOLES:
            law = self.bound(canvas, noise)
        quotas_of = how.quotas if isinstance(how, CommitOnce) and how.in_random_order() else None
        for holes in range(1, FEW_HOLES + 1):
            rows_b = (holes_B == holes).nonzero()[:, 0]
            if len(rows_b):
                nats_SbH = self.nats_by_hidden_set(canvas.rows(rows_b))
                law.nats_B[rows_b], law.se_B[rows_b] = -expected_nats(nats_SbH), 0.0
                if quotas_of is not None:
                    exact_B[rows_b] = -nats_over_orders(nats_SbH, quotas_of(holes))
        return replace(law, exact_B=exact_B) if quotas_of is not None else law

    def exact(self, how: CommitOnce, canvas: Canvas, noise: Noise) -> Likelihood:
        """Scores this text along the decoder's own passes; a bound if it holds EOS, which any tokens may follow.

        p(text) is the product of p(x_i | tokens of earlier passes) over all positions, because a rule that sees no
        sampled token gives a text one sequence of passes only (DUEL, arXiv 2603.01367).
        """
        at_BH, real_BH = canvas.hole_positions()
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        masked = Canvas(
            canvas.ids_BL.masked_fill(canvas.holes_BL, self.vocabulary.mask), canvas.holes_BL, canvas.pad_BL
        )
        nats_B = torch.zeros(len(at_BH), dtype=torch.float64, device=at_BH.device)

        def truth(call: int, logits_BWV: Tensor, slot_BW: Tensor) -> tuple[Tensor, Tensor]:
            return truth_BH.gather(1, slot_BW), how.judged(logits_BWV, truth_BH.gather(1, slot_BW))

        for one in how.passes(self, masked, noise, truth):
            nats_B += self.nats(one.logits_BWV, truth_BH.gather(1, one.slot_BW), one.write_BW).double().sum(1)
        ends = bool(((truth_BH == self.vocabulary.eos) & real_BH).any())
        return Likelihood("bound" if ends else "exact", -nats_B, torch.zeros_like(nats_B))

    def bound(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Stratifies l over the samples."""
        at_BH, real_BH = canvas.hole_positions()

        def sample(draw: int, stratum_B1: Tensor) -> Tensor:
            chance_BH = noise.uniform(draw, all_rows(canvas), at_BH.shape[1:])
            hidden_BH, masked_B = hide_share(real_BH, stratum_B1[:, 0], chance_BH)
            nats_BH = self.masked_nats(canvas, at_BH, hidden_BH)
            return -nats_BH.double().sum(1) * real_BH.sum(1) / masked_B

        return sampled_bound(canvas, noise, sample)

    def nats_by_hidden_set(self, canvas: Canvas) -> Tensor:
        """Nats of each hole for every set of masked holes, (S, B, H); all rows must have the same number of holes."""
        at_BH, _ = canvas.hole_positions()
        sets_SH = hidden_sets(at_BH.shape[1], at_BH.device)
        return torch.stack([self.masked_nats(canvas, at_BH, set_H.expand(at_BH.shape)) for set_H in sets_SH]).double()

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        return given_the_rest(self, canvas)

    def masked_nats(self, canvas: Canvas, at_BH: Tensor, hidden_BH: Tensor, *, training: bool = False) -> Tensor:
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        ids_BL = canvas.ids_BL.scatter(1, at_BH, truth_BH.masked_fill(hidden_BH, self.vocabulary.mask))
        logits_NV = self.backbone(ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_BH, need_BW=hidden_BH)
        return self.nats(logits_NV, truth_BH, hidden_BH, training=training)
