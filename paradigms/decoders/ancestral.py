"""Ancestral sampling runs uniform noise backwards: every hole has a token from the start, and any may still change.

    start    p p x z y x    pure noise
    pass 1   p p x w y z    every hole is sampled anew, given the prediction of its clean token and its present token
    pass 2   p p w w y z

As the noise level falls from 1 to 0 in equal steps, x_s is sampled from q(x_s | x_t) with the model's prediction in the
place of the clean text (Austin et al., 2021; Schiff et al., 2024). The last pass, at s = 0, samples the text itself.
With one pass all tokens are sampled independently; with many, the sampler approaches the model's reverse process.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import ORDER, Canvas, Noise, all_rows, ban
from paradigms.decoders.sampling import at_least, pick
from paradigms.decoders.uniform_noise import Denoiser, posterior, tokens_of


@dataclass(frozen=True)
class Ancestral:
    """steps: forward passes.  temperature: of the predicted clean tokens; at 0 they are the most probable ones, and
    only the noise is random."""

    steps: int = 32
    temperature: float = 1.0
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        at_least(self, "steps", 1)
        at_least(self, "temperature", 0)

    def __call__(self, model: Denoiser, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        at_BH, real_BH = canvas.hole_positions()
        rows_B, text_K, logits_BHV = all_rows(canvas), model.text(at_BH.device), None
        given_BH, never, shape = canvas.ids_BL.gather(1, at_BH), model.never(), at_BH.shape[1:]
        now_BH = tokens_of(noise.uniform(self.steps, rows_B, shape, ORDER), text_K).where(real_BH, given_BH)
        for call in range(self.steps):
            left = self.steps - call
            level_B = torch.full(rows_B.shape, left / self.steps, dtype=torch.float64, device=rows_B.device)
            logits_BHV = ban(model.denoise(canvas, at_BH, now_BH, level_B, logits_BHV), never)
            law_BHV = self.law(logits_BHV)
            mass_BHV = posterior(law_BHV, now_BH, 1 - left / self.steps, 1 - (left - 1) / self.steps, text_K)
            token_BH = pick(mass_BHV.log(), 1.0, partial(noise.uniform, call, rows_B, shape))
            now_BH = token_BH.where(real_BH, given_BH)
            yield canvas.ids_BL.scatter(1, at_BH, now_BH)

    def law(self, logits_BHV: Tensor) -> Tensor:
        """The distribution of the predicted clean tokens, float64, (B, H, V)."""
        if self.temperature == 0:
            return F.one_hot(logits_BHV.argmax(-1), logits_BHV.shape[-1]).double()
        return (logits_BHV.double() / self.temperature).softmax(-1)
