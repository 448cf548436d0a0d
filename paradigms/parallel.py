"""Non-autoregressive decoding generates all positions in one pass, each independent of the others' tokens.

    pass 1   p p ? ? ? ?    every position sees the whole canvas, on which its neighbours are still masks

The decoder of Gu et al. (2018) comes with three training objectives: `vanilla` masks the whole text; `cmlm` masks a
random number of tokens, so that the same weights can also refine (Ghazvininejad et al., 2019); `glancing` reveals
target tokens in proportion to the model's errors (Qian et al., 2021), which makes single-pass output coherent by
settling on one answer. The text ends at its first EOS (eos), or a first pass over the prompt predicts its length
(predicted).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import Canvas, Length, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows
from paradigms.decoders.mask_predict import mask_predict
from paradigms.decoders.policy import hide_exactly
from paradigms.decoders.sampling import at_least
from paradigms.trunk.attention import AttentionRule, prompt_apart
from paradigms.trunk.backbone import Backbone

LENGTH_WEIGHT = 0.1  # weight of the length loss, as in published conditional masked language models


@dataclass(frozen=True)
class ParallelDecoder:
    """passes: 1 for single-pass decoding; more run mask-predict, which needs training=cmlm."""

    temperature: float = 1.0
    passes: int = 1
    length: Length = "eos"

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)
        at_least(self, "passes", 1)


class Parallel(Paradigm):
    """p(text) = prod_i p(x_i | prompt): tokens are conditionally independent given the prompt."""

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        training: Literal["vanilla", "cmlm", "glancing"],
        decoder: ParallelDecoder,
    ):
        super().__init__(vocabulary, backbone)
        if decoder.passes > 1 and training != "cmlm":
            raise ValueError(
                f"decoder.passes={decoder.passes}: must be 1 with training={training}; more passes need training=cmlm"
            )
        self.decoder, self.length = decoder, decoder.length
        self.hide = {"vanilla": self.hide_all, "cmlm": self.hide_some, "glancing": self.hide_unknown}[training]

    def rule(self, canvas: Canvas) -> AttentionRule:
        return prompt_apart(canvas.starts()[:, None, None])

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        at_BH, real_BH = canvas.hole_positions()
        hidden_BH = self.hide(canvas, at_BH, real_BH, noise, progress)
        logits_BHV, length_logits_BV = self.read(canvas, at_BH, hidden_BH)
        nats_BH = self.nats(logits_BHV, canvas.ids_BL.gather(1, at_BH), hidden_BH, training=True)
        length_B = canvas.text(self.vocabulary.eos).sum(1)
        length_nats_B = F.cross_entropy(
            length_logits_BV, length_B.clamp(max=self.vocabulary.size - 1), reduction="none"
        )
        of_lengths = LENGTH_WEIGHT * length_nats_B.sum(), length_B.new_tensor(len(length_B))
        return Loss([(nats_BH.sum(), hidden_BH.sum()), of_lengths], hidden_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        how, calls, rest_BL = self.decoder, 0, canvas.ids_BL[:, :0]
        if how.length == "predicted":
            whole, calls = self.cut_to_predicted(canvas), 1
            yield whole.ids_BL
            canvas = whole.without_columns_behind(~whole.pad_BL)
            rest_BL = whole.ids_BL[:, canvas.ids_BL.shape[1] :]
        for ids_BL in mask_predict(
            self, canvas, noise, passes=how.passes, temperature=how.temperature, first_call=calls
        ):
            yield torch.cat((ids_BL, rest_BL), dim=1)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Exact for one pass (given the length, where EOS does not mark it), pseudo for more."""
        nats_B = self.token_nats(canvas, noise)[0].double().sum(1)
        return Likelihood("exact" if self.decoder.passes == 1 else "pseudo", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        at_BH, real_BH = canvas.hole_positions()
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        logits_BHV, _ = self.read(canvas, at_BH, real_BH)
        return self.nats(logits_BHV, canvas.ids_BL.gather(1, at_BH), counted_BH), counted_BH

    def read(self, canvas: Canvas, at_BH: Tensor, hidden_BH: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the holes with some masked, (B, H, V), and of the length, at the prompt's last token, (B, V)."""
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        ids_BL = canvas.ids_BL.scatter(1, at_BH, truth_BH.masked_fill(hidden_BH, self.vocabulary.mask))
        want_BW = torch.cat((canvas.starts()[:, None] - 1, at_BH), dim=1)
        logits_BWV = self.backbone(ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL, want_BW=want_BW)
        return logits_BWV[:, 1:], logits_BWV[:, 0]

    def cut_to_predicted(self, canvas: Canvas) -> Canvas:
        """Predicts the length n as id n in one pass over the prompt; positions behind it become EOS and padding."""
        start_B1, holes_B = canvas.starts()[:, None], canvas.holes_BL.sum(1)
        longest = int(start_B1.max())
        prompt_BQ = canvas.ids_BL[:, :longest]
        pad_BQ = canvas.pad_BL[:, :longest] | (torch.arange(longest, device=start_B1.device) >= start_B1)
        if int(holes_B.max()) >= self.vocabulary.size:
            raise ValueError(
                f"decoder.length=predicted: {int(holes_B.max())} holes need more than {self.vocabulary.size} ids"
            )
        logits_BV = self.backbone(prompt_BQ, self.rule(canvas), pad_BL=pad_BQ, want_BW=start_B1 - 1)[:, 0]
        possible_BV = torch.arange(logits_BV.shape[1], device=logits_BV.device) <= holes_B[:, None]
        length_B = logits_BV.masked_fill(~possible_BV, -torch.inf).argmax(1)
        cut_BL = canvas.holes_BL & (canvas.holes_BL.cumsum(1) > length_B[:, None])
        ids_BL = canvas.ids_BL.masked_fill(cut_BL, self.vocabulary.eos)
        return Canvas(ids_BL, canvas.holes_BL & ~cut_BL, canvas.pad_BL | cut_BL)

    def hide_all(self, canvas: Canvas, at_BH: Tensor, real_BH: Tensor, noise: Noise, progress: float) -> Tensor:
        return real_BH

    def hide_some(self, canvas: Canvas, at_BH: Tensor, real_BH: Tensor, noise: Noise, progress: float) -> Tensor:
        """Masks a number of holes uniform in 1..H; all sets of that size are equally likely."""
        chance_BH = noise.uniform(0, all_rows(canvas), at_BH.shape[1:])
        count_B = 1 + (noise.uniform(1, all_rows(canvas), (1,))[:, 0] * real_BH.sum(1)).long()
        return hide_exactly(real_BH, count_B, chance_BH)

    def hide_unknown(self, canvas: Canvas, at_BH: Tensor, real_BH: Tensor, noise: Noise, progress: float) -> Tensor:
        """Reveals targets: a share, falling from .5 to .3, of the number that one fully masked pass gets wrong."""
        with torch.no_grad():
            guess_BH = self.read(canvas, at_BH, real_BH)[0].argmax(-1)
        wrong_B = ((guess_BH != canvas.ids_BL.gather(1, at_BH)) & real_BH).sum(1)
        shown_B = (wrong_B * (0.5 - 0.2 * progress)).long()
        return hide_exactly(real_BH, real_BH.sum(1) - shown_B, noise.uniform(0, all_rows(canvas), at_BH.shape[1:]))
