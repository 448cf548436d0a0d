"""Every order at once: what a model that fills holes in random order says of a text, summed and not sampled.

Which of H holes are still hidden is one of 2^H sets. The nats of every hole under every set are a table from which the
bound of masked diffusion and the exact law of a decoder in random order both follow; feasible for a handful of holes.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

FEW_HOLES = 8  # 256 calls, twice as many as a sampled bound takes


def hidden_sets(holes: int, device: torch.device) -> Tensor:
    """bool (S, H): all sets of hidden holes, number S having bit i where hole i is hidden."""
    numbers_S1 = torch.arange(1 << holes, device=device)[:, None]
    return (numbers_S1 >> torch.arange(holes, device=device)) & 1 == 1


def expected_nats(nats_SBH: Tensor) -> Tensor:
    """E_l [H / l sum over l hidden holes], l uniform in 1..H, every set of that size alike, (B,).

    nats_SBH: of every hole given what a set does not hide; 0 where it hides the hole not.
    """
    H = nats_SBH.shape[2]
    sizes = hidden_sets(H, nats_SBH.device).sum(1).tolist()
    weight_S = nats_SBH.new_tensor([0.0 if size == 0 else 1 / (size * math.comb(H, size)) for size in sizes])
    return (weight_S[:, None] * nats_SBH.sum(2)).sum(0)


def nats_over_orders(nats_SBH: Tensor, quotas: Sequence[int]) -> Tensor:
    """-ln of the mean over all ordered passes of prod p(x_i | what was written before), (B,).

    quotas: holes written in each pass, each set of them as likely as any other. One hole a pass: the mean over all
    orders of the chain rule, which the bound can only underrate (Jensen).
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
