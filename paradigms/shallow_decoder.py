"""A deep encoder with a shallow autoregressive decoder: the prompt passes all layers, generated tokens only the last.

    layer 1   p p . .       the prompt is read once, in both directions
    layer 2   p p . .
    layer 3   p p w ?       generated tokens enter here and attend to this layer's states of the prompt

Deep encoder, shallow decoder (Kasai et al., 2021) is the published response to non-autoregressive decoding, because
most time is spent in the layers that every token passes. Here both parts are one backbone with the same weights as
every other paradigm's: a step computes, reads and caches only the last layers. With all layers it is a prefix LM.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows, ban
from paradigms.decoders.sampling import Sampling, choose
from paradigms.trunk.attention import AttentionRule, prefix
from paradigms.trunk.backbone import Backbone, Late


class ShallowDecoder(Paradigm):
    """p(text) = prod_i p(x_i | prompt, x_<i); layers: number of last layers, which generated tokens pass."""

    fills = frozenset({"suffix"})
    length = "eos"

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, layers: int, decoder: Sampling):
        super().__init__(vocabulary, backbone)
        if not 1 <= layers <= len(backbone.layers):
            raise ValueError(
                f"layers={layers}: must be from 1 to {len(backbone.layers)}, the number of backbone layers"
            )
        self.layers, self.decoder = layers, decoder
        self.entry = len(backbone.layers) - layers

    def rule(self, canvas: Canvas) -> AttentionRule:
        return prefix(canvas.start())

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        nats_BH, counted_BH = self.token_nats(canvas)
        return Loss(nats_BH.sum() / counted_BH.sum(), counted_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        ids_BL, start, rule = canvas.ids_BL.clone(), canvas.start(), self.rule(canvas)
        holes_B, rows_b = canvas.holes_BL.sum(1), all_rows(canvas)
        cache = self.backbone.cache(*ids_BL.shape, layers=self.layers)
        at_Q, read = torch.arange(start, device=ids_BL.device), start
        for call, column in enumerate(range(start, ids_BL.shape[1])):
            logits_bV = self.backbone(
                ids_BL[rows_b][:, at_Q],
                rule,
                pad_BL=canvas.pad_BL[rows_b, :column],
                at_BQ=at_Q.expand(len(rows_b), -1),
                want_BW=at_Q.new_full((len(rows_b), 1), len(at_Q) - 1),
                cache=cache,
                late=Late(read, self.entry),
            )[:, 0]
            logits_bV = ban(logits_bV, self.never())
            seen_bL = ids_BL[rows_b, :column]
            token_b = choose(self.decoder, logits_bV, seen_bL, lambda shape: noise.uniform(call, rows_b, shape))
            ids_BL[rows_b, column] = token_b
            ended_b = token_b == self.vocabulary.eos
            if ended_b.any():
                kept_BL = Canvas(ids_BL, canvas.holes_BL, canvas.pad_BL).text_and_end(self.vocabulary.eos)
                ids_BL.masked_fill_(canvas.holes_BL & ~kept_BL, self.vocabulary.eos)
            yield ids_BL
            alive_b = ~ended_b & (holes_B[rows_b] > call + 1)
            if not alive_b.any():
                return
            if not alive_b.all():
                rows_b = rows_b[alive_b]
                cache.keep(alive_b)
            at_Q, read = at_Q.new_tensor([column]), 0

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        nats_B = self.token_nats(canvas)[0].double().sum(1)
        return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas) -> tuple[Tensor, Tensor]:
        canvas = canvas.without_columns_behind(canvas.text_and_end(self.vocabulary.eos))
        at_BH, real_BH = canvas.hole_positions()
        logits_BHV = self.backbone(
            canvas.ids_BL,
            self.rule(canvas),
            pad_BL=canvas.pad_BL,
            want_BW=(at_BH - 1).clamp(min=0),
            late=Late(canvas.start(), self.entry),
        )
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        return self.nats(logits_BHV, canvas.ids_BL.gather(1, at_BH), counted_BH), counted_BH
