"""A deep encoder with a shallow autoregressive decoder: the prompt passes all layers, generated tokens only the last.

    layer 1   p p . .       the prompt is read once, in both directions
    layer 2   p p . .
    layer 3   p p w ?       generated tokens enter here and attend to this layer's states of the prompt

Deep encoder, shallow decoder (Kasai et al., 2021) is the published response to non-autoregressive decoding, because
most time is spent in the layers that every token passes. Here both parts are one backbone with the same weights as
every other paradigm's: a step computes, reads and caches only the last layers. With all layers it is a prefix LM.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, ban
from paradigms.decoders.rows import Rows
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
        nats_BH, counted_BH = self.token_nats(canvas, noise)
        return Loss([(nats_BH.sum(), counted_BH.sum())], counted_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        text, rule, never = Rows(canvas, self.vocabulary.eos), self.rule(canvas), self.never()
        cache = self.backbone.cache(*canvas.ids_BL.shape, layers=self.layers)
        at, late = range(text.start), Late(text.start, self.entry)
        for call, column in enumerate(range(text.start, canvas.ids_BL.shape[1])):
            read_bQ, want_b1 = text.read(at)
            logits_b1V = self.backbone(
                read_bQ, rule, pad_BL=text.pad_bL, at_BQ=at, keys=column, want_BW=want_b1, cache=cache, late=late
            )
            seen_bL = partial(text.ids_BL.__getitem__, (text.rows_b, slice(column)))
            draw_b = partial(noise.uniform, call, text.rows_b, ())
            text.write(column, choose(self.decoder, ban(logits_b1V[:, 0], never), seen_bL, draw_b))
            yield text.ids_BL
            if not text.go_on(cache):
                return
            at, late = range(column, column + 1), Late(0, self.entry)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        nats_B = self.token_nats(canvas, noise)[0].double().sum(1)
        return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        canvas = canvas.without_columns_behind(canvas.text_and_end(self.vocabulary.eos))
        at_BH, real_BH = canvas.hole_positions()
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        logits_NV = self.backbone(
            canvas.ids_BL,
            self.rule(canvas),
            pad_BL=canvas.pad_BL,
            want_BW=(at_BH - 1).clamp(min=0),
            need_BW=counted_BH,
            late=Late(canvas.start(), self.entry),
        )
        return self.nats(logits_NV, canvas.ids_BL.gather(1, at_BH), counted_BH), counted_BH
