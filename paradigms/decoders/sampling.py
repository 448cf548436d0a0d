"""From logits to a token: repetition penalty, truncation, and sampling in float64.

Float32 Gumbel noise effectively lowers the temperature (Zheng et al., 2025), so all sampling uses float64.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

NEAR_ZERO, MOST = 1e-6, 1_000_000  # logits that are divided by less overflow; tensors of more do not fit


@dataclass(frozen=True)
class Sampling:
    """How one token is sampled: temperature 0 takes the most probable one, the other settings modify the distribution.

    top_k: Fan et al., 2018.  top_p: Holtzman et al., 2020.  min_p: Nguyen et al., 2024.
    repetition_penalty: Keskar et al., 2019.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)
        at_least(self, "top_k", 1)
        for share in ("top_p", "min_p"):
            value = getattr(self, share)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{share}={value}: must be above 0 and at most 1")
        at_least(self, "repetition_penalty", NEAR_ZERO)
        for name in ("top_k", "top_p", "min_p"):
            if self.temperature == 0 and (value := getattr(self, name)) is not None:
                raise ValueError(f"{name}={value}: does nothing at temperature=0; set it to null")


def at_least(settings: object, name: str, least: float) -> None:
    """Raises ValueError, which names the setting, where it is set and below `least`, or no number to compute with."""
    value = getattr(settings, name)
    if value is not None and not value >= least:
        raise ValueError(f"{name}={value}: must be at least {least}")
    if value and not NEAR_ZERO <= value <= MOST:
        raise ValueError(
            f"{name}={value}: must be {'0, or ' if least == 0 else ''}from {max(least, NEAR_ZERO):g} to {MOST:,}"
        )


def pick(logits: Tensor, temperature: float, draw: Callable[[], Tensor]) -> Tensor:
    """Tokens (...) from logits (..., V): the argmax at temperature 0, else a sample from softmax(logits / T).

    `draw` returns U, float64 in (0, 1), and is called only where it is needed. From one number per token (...), the
    sample is the first token at which the cumulative distribution exceeds U. From one number per logit (..., V), as
    published programs draw them, it is argmax(logits + T G) with G = -log(-log U) (Gumbel, 1954).
    """
    if temperature == 0:
        return logits.argmax(-1)
    uniform = draw()
    if uniform.dim() == logits.dim():
        return (logits.double() - temperature * (-uniform.log()).log()).argmax(-1)
    mass = logits.double().div_(temperature).softmax(-1).cumsum(-1)
    below = (uniform * mass[..., -1])[..., None]
    return torch.searchsorted(mass, below, right=True)[..., 0].clamp_(max=logits.shape[-1] - 1)


def penalise(logits_bV: Tensor, seen_bL: Tensor, penalty: float) -> Tensor:
    """Lowers the logits of ids that occurred before: logit / penalty where positive, * penalty where negative."""
    seen_logits = logits_bV.gather(1, seen_bL)
    changed = torch.where(seen_logits > 0, seen_logits / penalty, seen_logits * penalty)
    return logits_bV.scatter(1, seen_bL, changed)


def keep_top_k(logits_bV: Tensor, k: int) -> Tensor:
    """Keeps only the k most probable tokens (and those that tie with the last of them)."""
    least = logits_bV.topk(min(k, logits_bV.shape[-1]))[0][:, -1:]
    return logits_bV.masked_fill(logits_bV < least, -torch.inf)


def keep_top_p(logits_bV: Tensor, p: float) -> Tensor:
    """Keeps only the smallest set of most probable tokens whose mass reaches p, at least one token."""
    descending, order = logits_bV.sort(descending=True, stable=True)
    mass_before = descending.softmax(-1).cumsum(-1) - descending.softmax(-1)
    cut = (mass_before >= p).scatter(1, order, mass_before >= p)
    return logits_bV.masked_fill(cut, -torch.inf)


def keep_min_p(logits_bV: Tensor, p: float) -> Tensor:
    """Keeps only tokens at least p times as probable as the most probable one."""
    probability = logits_bV.softmax(-1)
    return logits_bV.masked_fill(probability < p * probability.amax(-1, keepdim=True), -torch.inf)


def choose(how: Sampling, logits_bV: Tensor, seen_bL: Callable[[], Tensor], draw_b: Callable[[], Tensor]) -> Tensor:
    """A token for every row, (b,). seen_bL() returns the ids before it, draw_b() a number in (0, 1) for every row."""
    if how.repetition_penalty != 1:
        logits_bV = penalise(logits_bV, seen_bL(), how.repetition_penalty)
    if how.temperature == 0:
        return logits_bV.argmax(-1)
    logits_bV = logits_bV / how.temperature
    if how.top_k is not None:
        logits_bV = keep_top_k(logits_bV, how.top_k)
    if how.top_p is not None:
        logits_bV = keep_top_p(logits_bV, how.top_p)
    if how.min_p is not None:
        logits_bV = keep_min_p(logits_bV, how.min_p)
    return pick(logits_bV, 1.0, draw_b)
