"""Autoregressive decoding generates left to right, one token per forward pass, and never changes a token.

    pass 1   p p ?          the prompt is read once; its keys and values are cached
    pass 2   . . w ?        every later pass reads one token and generates the next
    pass 3   . . . w ?

This is a causal language model (Radford et al., 2019) or, with `prompt: bidirectional`, a prefix LM (Raffel et al.,
2020), which is the fair comparison for paradigms that read the prompt in both directions. Keys and values are kept in a
preallocated cache, and a row that has ended leaves the batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows, ban
from paradigms.decoders.sampling import Sampling, choose
from paradigms.trunk.attention import AttentionRule, causal, prefix
from paradigms.trunk.backbone import Backbone


@dataclass(frozen=True)
class Decoder(Sampling):
    """cache: False recomputes the whole text for every token, as a decoder without a key-value cache does."""

    cache: bool = True


class Autoregressive(Paradigm):
    """p(text) = prod_i p(x_i | prompt, x_<i)."""

    fills = frozenset({"suffix"})
    length = "eos"

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        prompt: Literal["causal", "bidirectional"],
        decoder: Decoder,
    ):
        super().__init__(vocabulary, backbone)
        self.prompt, self.decoder = prompt, decoder

    def rule(self, canvas: Canvas) -> AttentionRule:
        return prefix(canvas.start()) if self.prompt == "bidirectional" else causal

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        nats_BH, counted_BH = self.token_nats(canvas)
        return Loss(nats_BH.sum() / counted_BH.sum(), counted_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        ids_BL, start, rule = canvas.ids_BL.clone(), canvas.start(), self.rule(canvas)
        holes_B, rows_b = canvas.holes_BL.sum(1), all_rows(canvas)
        cache = self.backbone.cache(*ids_BL.shape) if self.decoder.cache else None
        at_Q = torch.arange(start, device=ids_BL.device)
        for call, column in enumerate(range(start, ids_BL.shape[1])):
            logits_bV = self.backbone(
                ids_BL[rows_b][:, at_Q],
                rule,
                pad_BL=canvas.pad_BL[rows_b, :column],
                at_BQ=at_Q.expand(len(rows_b), -1),
                want_BW=at_Q.new_full((len(rows_b), 1), len(at_Q) - 1),
                cache=cache,
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
                if cache is not None:
                    cache.keep(alive_b)
            at_Q = at_Q.new_tensor([column]) if self.decoder.cache else torch.arange(column + 1, device=at_Q.device)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        nats_B = self.token_nats(canvas)[0].double().sum(1)
        return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas) -> tuple[Tensor, Tensor]:
        canvas = canvas.without_columns_behind(canvas.text_and_end(self.vocabulary.eos))
        at_BH, real_BH = canvas.hole_positions()
        before_BH = (at_BH - 1).clamp(min=0)
        logits_BHV = self.backbone(canvas.ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=before_BH)
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        return self.nats(logits_BHV, canvas.ids_BL.gather(1, at_BH), counted_BH), counted_BH
