"""Fill in the blanks: trained to restore 15 % of a text from the rest, then asked to write with less and less given.

    call 1   p p ? ? ? ?
    call 2   p p ? w ? ?    one hole a call, or many and the doubtful again, or every hole over and over

BERT's objective (Devlin et al., 2019): of the chosen 15 %, 80 % are masked, 10 % replaced, 10 % kept. A canvas of
nothing but masks is far from what training showed; what that costs is a result here, not a fault to be tuned away.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paradigms.attention import AttentionRule, everywhere
from paradigms.backbone import Backbone
from paradigms.base import ORDER, Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows
from paradigms.commit_once import CommitOnce
from paradigms.mask_predict import MaskPredict
from paradigms.remask import Remask
from paradigms.repredict import RepredictAll
from paradigms.sampling import at_least, ban, keep_top_k, pick


@dataclass(frozen=True)
class Gibbs:
    """Every hole over and over, in random order (Wang and Cho, 2019): full softmax while burning in, then the top k."""

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

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        at_BH, real_BH = canvas.hole_positions()
        rows_B, ids_BL = all_rows(canvas), canvas.ids_BL.clone()
        visits_BH = torch.zeros_like(at_BH, dtype=torch.float64).masked_fill(~real_BH, torch.inf)
        for call in range(max(self.updates, at_BH.shape[1])):
            # the least visited hole, any of equals: sweeps in random order
            turn_B = (visits_BH + noise.uniform(call, rows_B, at_BH.shape[1:], ORDER)).argmin(1)
            visits_BH[rows_B, turn_B] += 1
            at_B1 = at_BH.gather(1, turn_B[:, None])
            ids_BL.scatter_(1, at_B1, model.vocabulary.mask)
            logits_BV = model.backbone(ids_BL, model.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_B1)[:, 0]
            logits_BV = ban(logits_BV, model.never())
            if call >= self.burn_in:
                logits_BV = keep_top_k(logits_BV, self.top_k)
            token_B = pick(logits_BV, self.temperature, lambda: noise.uniform(call, rows_B, logits_BV.shape[1:]))
            ids_BL.scatter_(1, at_B1, token_B[:, None])
            yield ids_BL


Decoder = CommitOnce | MaskPredict | RepredictAll | Remask | Gibbs


class MaskedInfill(Paradigm):
    """Conditionals p(x_i | the rest) for single positions; no joint law need have them all."""

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(
        self, vocabulary: Vocabulary, backbone: Backbone, rate: float, decoder: Decoder):
        super().__init__(vocabulary, backbone)
        if not 0 < rate < 1:
            raise ValueError(f"rate={rate}: must be between 0 and 1")
        self.rate, self.decoder, self.length = rate, decoder, decoder.length

    def rule(self, canvas: Canvas) -> AttentionRule:
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        at_BH, real_BH = canvas.hole_positions()
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        chance, fate, other = noise.uniform(0, all_rows(canvas), (at_BH.shape[1], 3)).unbind(-1)
        chosen_BH = real_BH & (chance < self.rate)
        random_BH = (other * self.vocabulary.size).long()
        shown_BH = random_BH.where(fate < 0.9, truth_BH).masked_fill(fate < 0.8, self.vocabulary.mask)
        ids_BL = canvas.ids_BL.scatter(1, at_BH, shown_BH.where(chosen_BH, truth_BH))
        logits_BHV = self.backbone(ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_BH)
        nats_BH = self.nats(logits_BHV, truth_BH, chosen_BH)
        return Loss(nats_BH.sum() / chosen_BH.sum().clamp(min=1), chosen_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The pseudo-likelihood: every token given all others (Salazar et al., 2020)."""
        at_BH, real_BH = canvas.hole_positions()
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        nats_B = torch.zeros(len(at_BH), dtype=torch.float64, device=at_BH.device)
        for at_B1, truth_B1, counted_B1 in zip(
            at_BH.split(1, 1), truth_BH.split(1, 1), counted_BH.split(1, 1), strict=True
        ):
            ids_BL = canvas.ids_BL.scatter(1, at_B1, self.vocabulary.mask)
            logits_B1V = self.backbone(ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_B1)
            nats_B += self.nats(logits_B1V, truth_B1, counted_B1)[:, 0].double()
        return Likelihood("pseudo", -nats_B, torch.zeros_like(nats_B))
