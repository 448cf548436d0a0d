"""Uniform noise replaces tokens by random ones; what a decoder of it needs: the noise, its reversal, a denoiser.

At noise level t, from 0 to 1, a token is kept with probability alpha = 1 - t, else it is a uniform one of the K text
tokens, which may be the same again (Austin et al., 2021). Mask and padding are no text; EOS is.
"""

from typing import Protocol

import torch
from torch import Tensor

from paradigms.base import Canvas, Vocabulary


class Denoiser(Protocol):
    """A model of a hole's clean token given the noisy tokens of all others, which decoders of uniform noise ask."""

    vocabulary: Vocabulary

    def never(self) -> list[int]:
        """Ids that are never generated."""
        ...

    def text(self, device: torch.device) -> Tensor:
        """The ids that noise consists of, (K,)."""
        ...

    def denoise(
        self, canvas: Canvas, at_BH: Tensor, noisy_BH: Tensor, level_B: Tensor, before_BHV: Tensor | None
    ) -> Tensor:
        """Logits (B, H, V) of one forward pass over noisy holes.

        level_B: the noise level of each row.  before_BHV: the logits of the pass before, for self-conditioning; None
        in the first pass.
        """
        ...


def tokens_of(uniform: Tensor, text_K: Tensor) -> Tensor:
    """Uniform text tokens from uniform samples in (0, 1), of the same shape."""
    return text_K[(uniform * len(text_K)).long().clamp(max=len(text_K) - 1)]


def noised(law_BHV: Tensor, alpha: Tensor | float, text_K: Tensor) -> Tensor:
    """The distribution of tokens that follow `law` before noise and are kept with probability alpha, (B, H, V)."""
    even_V = law_BHV.new_zeros(law_BHV.shape[-1]).index_fill(0, text_K, 1 / len(text_K))
    return law_BHV * alpha + even_V * (1 - alpha)


def posterior(
    law_BHV: Tensor, noisy_BH: Tensor, alpha: Tensor | float, lower: Tensor | float, text_K: Tensor
) -> Tensor:
    """q(x_s | x_t) of each hole where its clean token follows `law`, (B, H, V), for noise levels s < t.

    It is proportional to q(x_t | x_s) q(x_s), by Bayes' rule. `law` is the distribution given the other holes alone:
    what x_t itself says about the clean token comes in as q(x_t | x_s).
    alpha: the share kept at level t.  lower: the share kept at level s, which is higher; of shape (B, 1, 1) if tensors.
    """
    kept = alpha / lower
    likelihood_BHV = torch.zeros_like(law_BHV).scatter(2, noisy_BH[:, :, None], 1.0) * kept
    mass_BHV = noised(law_BHV, lower, text_K) * (likelihood_BHV + (1 - kept) / len(text_K))
    return mass_BHV / mass_BHV.sum(-1, keepdim=True)
