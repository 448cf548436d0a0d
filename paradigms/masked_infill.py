"""Fill in the blanks: trained to restore 15 % of a text from the rest, then asked to write with less and less given.

    call 1   p p ? ? ? ?
    call 2   p p ? w ? ?    one hole a call, or many and the doubtful again, or every hole over and over

BERT's objective (Devlin et al., 2019): of the chosen 15 %, 80 % are masked, 10 % replaced, 10 % kept. A canvas of
nothing but masks is far from what training showed; what that costs is a result here, not a fault to be tuned away.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows, given_the_rest
from paradigms.decoders.commit_once import CommitOnce
from paradigms.decoders.gibbs import Gibbs
from paradigms.decoders.mask_predict import MaskPredict
from paradigms.decoders.remask import Remask
from paradigms.decoders.repredict import RepredictAll
from paradigms.decoders.revised import Revised
from paradigms.trunk.attention import AttentionRule, everywhere
from paradigms.trunk.backbone import Backbone

Decoder = CommitOnce | MaskPredict | RepredictAll | Remask | Gibbs | Revised


class MaskedInfill(Paradigm):
    """Conditionals p(x_i | the rest) for single positions; no joint law need have them all."""

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, rate: float, decoder: Decoder):
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
        nats_BH = self.nats(logits_BHV, truth_BH, chosen_BH, training=True)
        return Loss(nats_BH.sum() / chosen_BH.sum().clamp(min=1), chosen_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The pseudo-likelihood: every token given all others (Salazar et al., 2020)."""
        nats_B = self.token_nats(canvas)[0].double().sum(1)
        return Likelihood("pseudo", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas) -> tuple[Tensor, Tensor]:
        return given_the_rest(self, canvas)
