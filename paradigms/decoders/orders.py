"""Likelihoods under random-order decoding are computed as a sum over all orders instead of by sampling.

The holes that are still masked form one of 2^H sets. The nats of every hole under every set are a table from which
both the bound of masked diffusion and the exact likelihood of a random-order decoder follow. This is feasible for few
holes.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

FEW_HOLES = 8  # 256 forward passes, twice as many as a sampled bound takes


def hidden_sets(holes: int, device: torch.device) -> Tensor:
    """bool (S, H): all sets of masked holes; bit i of a set's number says whether hole i is masked."""
    numbers_S1 = torch.arange(1 << holes, device=device)[:, None]
    return (numbers_S1 >> torch.arange(holes, device=device)) & 1 == 1


def expected_nats(nats_SBH: Tensor) -> Tensor:
    """E_l [H / l sum over l masked holes], l uniform in 1..H, all sets of that size equally likely, (B,).

    nats_SBH: nats of every hole given the tokens that a set leaves unmasked; 0 where the hole itself is unmasked.
    """
    H = nats_SBH.shape[2]
    sizes = hidden_sets(H, nats_SBH.device).sum(1).tolist()
    weight_S = nats_SBH.new_tensor([0.0 if size == 0 else 1 / (size * math.comb(H, size)) for size in sizes])
    return (weight_S[:, None] * nats_SBH.sum(2)).sum(0)


def nats_over_orders(nats_SBH: Tensor, quotas: Sequence[int]) -> Tensor:
    """-ln of the mean of prod p(x_i | tokens of earlier passes) over all assignments of holes to passes, (B,).

    quotas: number of holes of each pass, all sets of that size equally likely. With one hole per pass this is the mean
    of the chain rule over all orders, which the bound can only underestimate (Jensen's inequality).
    """
    _, B, H = nats_SBH.shape
    log_p_SB: dict[int, Tensor] = {0: nats_SBH.new_zeros(B)}
    left = 0
    for count in reversed(quotas):
        left += count
        for holes in itertools.combinations(range(H), left):
            hidden = sum(1 << i for i in holes)
            ways = [
                log_p_SB[hidden - sum(1 << i for i in written)] - nats_SBH[hidden][:, list(written)].sum(1)
                for written in itertools.combinations(holes, count)
            ]
            log_p_SB[hidden] = torch.stack(ways).logsumexp(0) - math.log(len(ways))
    return -log_p_SB[(1 << H) - 1]
