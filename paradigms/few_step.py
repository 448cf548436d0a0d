"""Few-step diffusion learns to do in one pass what masked diffusion does in several; it is its own teacher.

    teacher, pass 1   p p ? w ? ?    the teacher commits some holes of a partly masked text
    teacher, pass 2   p p w w ? w    and the others, given these
    student, 1 pass   p p w w ? w    the student predicts them all at once, towards the teacher's distributions

This is self-distillation through time (SDTT; Deschenaux and Gulcehre, 2024) within one training: first the network
trains as masked diffusion, then half of each batch teaches it. The student's tokens are independent given what it
reads. Where the teacher's later tokens depend on its earlier ones, the closest student is therefore the average over
these, the marginal distribution: of the total correlation nothing is kept, and only a model's errors can be mended.
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
    ban,
    loss_of_both,
    strata,
)
from paradigms.decoders.commit_once import CommitOnce
from paradigms.decoders.policy import hide_share
from paradigms.decoders.revised import Later
from paradigms.decoders.sampling import at_least
from paradigms.diffusion import Diffusion
from paradigms.trunk.attention import AttentionRule, everywhere
from paradigms.trunk.backbone import Backbone


class FewStep(Paradigm):
    """Masked diffusion whose loss is joined by E[KL(teacher || student)] per token over the masked holes.

    passes: the teacher's, for one of the student's.  begin: share of the training before the teacher begins.
    """

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, passes: int, begin: float, decoder: CommitOnce):
        super().__init__(vocabulary, backbone)
        self.passes, self.begin, self.decoder, self.length = passes, begin, decoder, decoder.length
        at_least(self, "passes", 2)
        if not 0 <= begin < 1:
            raise ValueError(f"begin={begin}: must be at least 0 and below 1")

    def rule(self, canvas: Canvas) -> AttentionRule:
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        model = self.diffusion(CommitOnce())  # EOS is always possible in training
        if progress < self.begin:
            return model.loss(canvas, noise, progress)
        return loss_of_both(
            canvas,
            noise,
            lambda part: model.loss(part, noise, progress),
            lambda part: self.taught(part, noise),
        )

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        return self.diffusion(self.decoder).log_likelihood(canvas, noise)

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        return self.diffusion(self.decoder).token_nats(canvas, noise)

    def diffusion(self, decoder: CommitOnce) -> Diffusion:
        return Diffusion(self.vocabulary, self.backbone, decoder)

    def taught(self, canvas: Canvas, noise: Noise) -> Loss:
        """The divergence at texts of which l of L holes are masked, l as in masked diffusion, weighted L/l."""
        at_BH, real_BH = canvas.hole_positions()
        chance_BH, holes_B = noise.uniform(0, all_rows(canvas), at_BH.shape[1:]), real_BH.sum(1)
        hidden_BH, masked_B = hide_share(real_BH, strata(canvas, noise, 1), chance_BH)
        hidden_BL = torch.zeros_like(canvas.holes_BL).scatter(1, at_BH, hidden_BH)
        masked = replace(canvas, ids_BL=canvas.ids_BL.masked_fill(hidden_BL, self.vocabulary.mask), holes_BL=hidden_BL)
        target_NV = self.targets(masked, noise).exp()
        logits_NV = self.backbone(masked.ids_BL, everywhere, pad_BL=canvas.pad_BL, want_BW=at_BH, need_BW=hidden_BH)
        never = [self.vocabulary.mask, self.vocabulary.pad]
        ln_student_NV = ban(logits_NV, never).log_softmax(-1).masked_fill(target_NV == 0, 0)
        kl_N = torch.special.entr(target_NV).sum(-1).neg() - (target_NV * ln_student_NV).sum(-1)
        kl_BH = kl_N.new_zeros(hidden_BH.shape).masked_scatter(hidden_BH, kl_N)
        weighted_B = kl_BH.sum(1) * holes_B / masked_B
        return Loss([(weighted_B.sum(), holes_B.sum())], hidden_BH.sum())

    @torch.no_grad()
    def targets(self, masked: Canvas, noise: Noise) -> Tensor:
        """The teacher's log-probabilities at every masked hole when it commits it, (N, V), row by row from the left."""
        how, later, real_BH = CommitOnce(steps=self.passes), Later(noise), masked.hole_positions()[1]
        ln_BHV = torch.zeros(*real_BH.shape, self.vocabulary.size, device=real_BH.device)
        for one in how.passes(self.diffusion(how), masked, later, how.sampling(masked, later)):
            row_N, column_N = one.write_BW.nonzero(as_tuple=True)
            ln_BHV[row_N, one.slot_BW[row_N, column_N]] = one.logits_BWV[row_N, column_N].float().log_softmax(-1)
        return ln_BHV[real_BH]
