"""Rotary position embedding: the pairs of a head's vector turn by angles that grow with the position.

Each pair of neighbouring numbers is one complex number, so that turning is one multiplication (Su et al., 2021).
"""

import torch
from torch import Tensor


class Rotary:
    """The turns of queries and keys at all positions, made once per dtype and device and extended when needed."""

    def __init__(self, head_width: int, base: float = 10_000.0):
        self.half, self.base = head_width // 2, base
        self.turn_L31E = torch.empty(0, dtype=torch.complex64)

    def turns(self, at_BQ: Tensor | range, positions: int, like: Tensor) -> Tensor:
        """Complex turns of query, key and value, which stays as it is, (Q, 3, 1, E/2) or (B, Q, 3, 1, E/2).

        positions: a bound that all of at_BQ lie below.  like: a tensor whose device and precision they have.
        """
        dtype = torch.complex128 if like.dtype is torch.float64 else torch.complex64
        known = self.turn_L31E
        if len(known) < positions or known.dtype is not dtype or known.device != like.device:
            with torch.inference_mode(False):  # the table also serves training
                frequency_E = self.base ** (-torch.arange(self.half, dtype=torch.float64) / self.half)
                angle_LE = torch.arange(max(positions, 2 * len(known)), dtype=torch.float64)[:, None] * frequency_E
                turn_LE = torch.polar(torch.ones_like(angle_LE), angle_LE)
                whole = torch.stack((turn_LE, turn_LE, torch.ones_like(turn_LE)), dim=1)[:, :, None]
                self.turn_L31E = whole.to(like.device, dtype)
        known = self.turn_L31E
        return known[at_BQ.start : at_BQ.stop] if isinstance(at_BQ, range) else known[at_BQ]


def turned(qkv_BQ3NE: Tensor, turn_BQ31E: Tensor) -> Tensor:
    """Queries, keys and values after the rotation, same shape and dtype; turned in float32 or above."""
    exact = qkv_BQ3NE.float() if qkv_BQ3NE.dtype is torch.bfloat16 else qkv_BQ3NE
    pairs = torch.view_as_complex(exact.view(*qkv_BQ3NE.shape[:-1], -1, 2)) * turn_BQ31E
    turned_BQ3NE = torch.view_as_real(pairs).view_as(qkv_BQ3NE)
    return turned_BQ3NE.bfloat16() if exact is not qkv_BQ3NE else turned_BQ3NE
