"""Randomness that belongs to a row: the n-th number of a row's call is a hash of (seed, item, call, stream, n).

A counter-based generator (SplitMix64; Steele et al., 2014; the principle: Salmon et al., 2011) in integer tensor
arithmetic. It has no state, so a text does not depend on the batch it was written in, on the device, or on how far an
interrupted training had come; and it draws for all rows at once, which a generator object per row could not.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

GOLDEN = -7046029254386353131  # 2^64 / golden ratio as a signed integer, SplitMix64's increment


class SeededNoise:
    """Draws for a batch whose rows are the items named by `ids`."""

    def __init__(self, seed: int, ids: Sequence[str], device: torch.device):
        keys = [hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in ids]
        self.key_B = torch.tensor([int.from_bytes(key, "little", signed=True) for key in keys], device=device)

    def uniform(self, call: int, rows_b: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
        """float64 in (0, 1), shape (len(rows_b), *shape)."""
        first = (2 * call + stream) << 32  # a call's numbers lie apart from every other call's
        count_N = torch.arange(first, first + math.prod(shape), device=self.key_B.device)
        bits_bN = mix(self.key_B[rows_b, None] + count_N * GOLDEN)
        return ((shift_right(bits_bN, 12).double() + 0.5) * 2.0**-52).view(len(rows_b), *shape)


def shift_right(bits: Tensor, count: int) -> Tensor:
    """Logical shift of int64: torch's own copies the sign."""
    return (bits >> count) & ((1 << (64 - count)) - 1)


def mix(bits: Tensor) -> Tensor:
    """SplitMix64's finaliser; products wrap modulo 2^64."""
    bits = (bits ^ shift_right(bits, 30)) * -4658895280553007687
    bits = (bits ^ shift_right(bits, 27)) * -7723592293110705685
    return bits ^ shift_right(bits, 31)
