"""A masked language model learns to restore 15 % of a text from the rest and must then generate from far less context.

    pass 1   p p ? ? ? ?
    pass 2   p p ? w ? ?    one position per pass, or many with re-masking of uncertain ones, or Gibbs sampling

The objective is BERT's (Devlin et al., 2019): of the chosen 15 %, 80 % are masked, 10 % replaced, 10 % kept. A fully
masked canvas is far from the training distribution; the cost of this mismatch is a result and is not tuned away.
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
    """Conditionals p(x_i | all other tokens) of single positions, which need not belong to one joint distribution."""

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
        logits_NV = self.backbone(ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_BH, need_BW=chosen_BH)
        nats_BH = self.nats(logits_NV, truth_BH, chosen_BH, training=True)
        return Loss([(nats_BH.sum(), chosen_BH.sum())], chosen_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The pseudo-log-likelihood: every token given all others (Salazar et al., 2020)."""
        nats_B = self.token_nats(canvas, noise)[0].double().sum(1)
        return Likelihood("pseudo", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        return given_the_rest(self, canvas)
