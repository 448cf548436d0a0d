"""Reproducible noise per row: the n-th number is a hash of (seed, item, forward pass, stream, n).

This is a counter-based generator (Salmon et al., 2011) in integer tensor arithmetic, with the hash of SplitMix64
(Steele et al., 2014). It has no state, so a sample does not depend on its batch, on the device, or on where training
was interrupted; and it samples for all rows at once, unlike one generator object per row.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

AHEAD = 1024  # numbers that are hashed at once where passes need fewer, because a call costs more than the numbers
GOLDEN = -7046029254386353131  # 2^64 / golden ratio as a signed integer, SplitMix64's increment


class SeededNoise:
    """Noise for a batch whose rows are the items named by `ids`."""

    def __init__(self, seed: int, ids: Sequence[str], device: torch.device):
        keys = [hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in ids]
        self.key_B = torch.tensor([int.from_bytes(key, "little", signed=True) for key in keys], device=device)
        self.ahead: dict[tuple[int, int], tuple[int, Tensor]] = {}  # by stream and numbers per row: first pass, samples

    def uniform(self, call: int, rows_b: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
        """Uniform float64 samples in (0, 1), shape (len(rows_b), *shape); see `paradigms.base.Noise`."""
        numbers = math.prod(shape)
        first, made_CBN = self.ahead.get((stream, numbers), (call, None))
        if made_CBN is None or not 0 <= call - first < len(made_CBN):
            calls = max(1, AHEAD // max(1, len(self.key_B) * numbers))
            first, made_CBN = self.ahead[stream, numbers] = call, self.samples(call, calls, numbers, stream)
        return made_CBN[call - first].index_select(0, rows_b).view(len(rows_b), *shape)

    def samples(self, call: int, calls: int, numbers: int, stream: int) -> Tensor:
        """The samples of C successive passes for all rows, (C, B, N)."""
        device = self.key_B.device
        call_C = torch.arange(call, call + calls, device=device)
        first_C = (2 * call_C + stream) << 32  # counters of different passes and streams do not overlap
        count_CN = first_C[:, None] + torch.arange(numbers, device=device)
        bits_CBN = mix(self.key_B[:, None] + (count_CN * GOLDEN)[:, None])
        return (shift_right(bits_CBN, 12).double() + 0.5) * 2.0**-52


def shift_right(bits: Tensor, count: int) -> Tensor:
    """Logical right shift of int64; torch's operator is arithmetic and copies the sign bit."""
    return (bits >> count) & ((1 << (64 - count)) - 1)


def mix(bits: Tensor) -> Tensor:
    """The finaliser of SplitMix64; products wrap modulo 2^64."""
    bits = (bits ^ shift_right(bits, 30)) * -4658895280553007687
    bits = (bits ^ shift_right(bits, 27)) * -7723592293110705685
    return bits ^ shift_right(bits, 31)
