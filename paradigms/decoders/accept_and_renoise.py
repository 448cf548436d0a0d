"""Accept and renoise: each pass keeps the tokens it is sure of and replaces all others by fresh noise.

    start    p p x z y x    pure noise
    pass 1   p p x w z y    the surest tokens are accepted (here one), the rest is noise again
    pass 2   p p w w y z    accepted tokens are predicted anew like all others, and may be given up
    answer   p p w w w w    the most probable token at every hole, in the last pass

This is the sampler of DiffusionGemma (Google DeepMind, 2026). A pass accepts the holes of lowest entropy, as many as
have entropies that, except the largest, add up to at most a bound (Ben-Hamu et al., 2025). The temperature falls
linearly. A row stops once its answer is stable and confident.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import ORDER, Canvas, Noise, all_rows, ban
from paradigms.decoders.policy import best, few_nats_at_stake, ranked, uncertainty
from paradigms.decoders.sampling import NEAR_ZERO, at_least, pick
from paradigms.decoders.uniform_noise import Denoiser, tokens_of


@dataclass(frozen=True)
class AcceptAndRenoise:
    """steps: most forward passes, at least two, as the first answer comes from noise alone.

    hottest, coldest: temperatures of the first and (almost) the last of `steps` passes.
    bound: of the accepted entropies, in nats.  stable: passes in which a row's answer must not have changed before the
    row stops.  sure: mean entropy in nats below which it must be, at the pass's temperature.
    temperature: of sampling from the distribution that is so tempered; at 0 the most probable tokens are accepted, and
    only the noise is random.
    """

    steps: int = 32
    hottest: float = 0.8
    coldest: float = 0.4
    bound: float = 0.1
    stable: int = 1
    sure: float = 0.005
    temperature: float = 1.0
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        at_least(self, "steps", 2)
        at_least(self, "stable", 1)
        for name in ("hottest", "coldest", "sure"):
            at_least(self, name, NEAR_ZERO)
        for name in ("bound", "temperature"):
            at_least(self, name, 0)
        if self.hottest < self.coldest:
            raise ValueError(f"hottest={self.hottest}: must be at least coldest={self.coldest}")

    def __call__(self, model: Denoiser, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        """Yields the answers so far; the state, part of which is noise, is never a text."""
        ids_BL, rows_b, some = canvas.ids_BL.clone(), all_rows(canvas), canvas
        at_bH, real_bH = canvas.hole_positions()
        text_K, never, logits_bHV, shape = model.text(at_bH.device), model.never(), None, at_bH.shape[1:]
        given_bH = canvas.ids_BL.gather(1, at_bH)
        now_bH = tokens_of(noise.uniform(self.steps, rows_b, shape, ORDER), text_K).where(real_bH, given_bH)
        level_b = torch.ones_like(rows_b, dtype=torch.float64)
        answer_bH, same_b = torch.full_like(at_bH, -1), torch.zeros_like(rows_b)
        for call in range(self.steps):
            heat = self.coldest + (self.hottest - self.coldest) * (self.steps - call) / self.steps
            logits_bHV = ban(model.denoise(some, at_bH, now_bH, level_b, logits_bHV), never) / heat
            token_bH = pick(logits_bHV, self.temperature, partial(noise.uniform, call, rows_b, shape))
            last_bH, answer_bH = answer_bH, logits_bHV.argmax(-1).where(real_bH, given_bH)
            ids_BL[rows_b] = some.ids_BL.scatter(1, at_bH, answer_bH)
            yield ids_BL
            nats_bH = uncertainty(logits_bHV)
            count_b = few_nats_at_stake(ranked(nats_bH, -nats_bH, real_bH, torch.inf), self.bound)
            accepted_bH = best(-nats_bH, real_bH, count_b) | ~real_bH
            fresh_bH = tokens_of(noise.uniform(call, rows_b, shape, ORDER), text_K)
            now_bH = token_bH.where(real_bH, given_bH).where(accepted_bH, fresh_bH)
            level_b = (~accepted_bH).sum(1) / real_bH.sum(1).double()  # the share of noise, which the model reads
            same_b = (same_b + 1).masked_fill((answer_bH != last_bH).any(1), 0)
            mean_b = nats_bH.masked_fill(~real_bH, 0.0).sum(1) / real_bH.sum(1)
            going_b = (same_b < self.stable) | (mean_b >= self.sure)
            if not going_b.any():
                return
            if not going_b.all():
                kept = (at_bH, real_bH, given_bH, now_bH, answer_bH, logits_bHV, level_b, same_b, rows_b)
                at_bH, real_bH, given_bH, now_bH, answer_bH, logits_bHV, level_b, same_b, rows_b = (
                    each[going_b] for each in kept
                )
                some = some.rows(going_b)
