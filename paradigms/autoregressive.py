"""Autoregressive decoding generates left to right, one token per forward pass, and never changes a token.

    pass 1   p p ?          the prompt is read once; its keys and values are cached
    pass 2   . . w ?        every later pass reads one token and generates the next
    pass 3   . . . w ?

This is a causal language model (Radford et al., 2019) or, with `prompt: bidirectional`, a prefix LM (Raffel et al.,
2020), which is the fair comparison for paradigms that read the prompt in both directions. Keys and values are kept in a
preallocated cache, and a row that has ended leaves the batch. Instead of sampling, the decoder may search: for the most
probable text (beam search), or for a probable one that does not repeat itself (contrastive search).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, ban
from paradigms.decoders.beam import BeamSearch
from paradigms.decoders.contrastive import ContrastiveSearch
from paradigms.decoders.rows import Rows
from paradigms.decoders.sampling import Sampling, choose
from paradigms.trunk.attention import AttentionRule, causal, prefix
from paradigms.trunk.backbone import Backbone


@dataclass(frozen=True)
class Decoder(Sampling):
    """cache: False recomputes the whole text for every token, as a decoder without a key-value cache does."""

    cache: bool = True

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        text, rule, never = Rows(canvas, model.vocabulary.eos), model.rule(canvas), model.never()
        cache = model.backbone.cache(*canvas.ids_BL.shape) if self.cache else None
        at = range(text.start)
        for call, column in enumerate(range(text.start, canvas.ids_BL.shape[1])):
            read_bQ, want_b1 = text.read(at)
            logits_b1V = model.backbone(
                read_bQ, rule, pad_BL=text.pad_bL, at_BQ=at, keys=column, want_BW=want_b1, cache=cache
            )
            seen_bL = partial(text.ids_BL.__getitem__, (text.rows_b, slice(column)))
            draw_b = partial(noise.uniform, call, text.rows_b, ())
            text.write(column, choose(self, ban(logits_b1V[:, 0], never), seen_bL, draw_b))
            yield text.ids_BL
            if not text.go_on(cache):
                return
            at = range(column if self.cache else 0, column + 1)


class Autoregressive(Paradigm):
    """p(text) = prod_i p(x_i | prompt, x_<i)."""

    fills = frozenset({"suffix"})
    length = "eos"

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        prompt: Literal["causal", "bidirectional"],
        decoder: Decoder | BeamSearch | ContrastiveSearch,
    ):
        super().__init__(vocabulary, backbone)
        self.prompt, self.decoder = prompt, decoder

    def rule(self, canvas: Canvas) -> AttentionRule:
        return prefix(canvas.start()) if self.prompt == "bidirectional" else causal

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        nats_BH, counted_BH = self.token_nats(canvas, noise)
        return Loss([(nats_BH.sum(), counted_BH.sum())], counted_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        nats_B = self.token_nats(canvas, noise)[0].double().sum(1)
        return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        canvas = canvas.without_columns_behind(canvas.text_and_end(self.vocabulary.eos))
        at_BH, real_BH = canvas.hole_positions()
        before_BH = (at_BH - 1).clamp(min=0)
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        logits_NV = self.backbone(
            canvas.ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=before_BH, need_BW=counted_BH
        )
        return self.nats(logits_NV, canvas.ids_BL.gather(1, at_BH), counted_BH), counted_BH
