"""The distribution-free interval of a median, between two order statistics, for timing and for reports."""

from functools import lru_cache
from math import comb

LEVEL = 0.95


@lru_cache(maxsize=4096)
def outside(n: int) -> int | None:
    """How many of n ordered values lie outside the interval at each end: as many as leave it a level of at least 95 %.

    None for fewer than six values, whose whole range covers less.
    """
    below = -1
    while 1 - covered(n, below + 1) <= 1 - LEVEL:
        below += 1
    return below if below >= 0 else None


def covered(n: int, below: int) -> float:
    """The probability that a median lies between the values next to the `below` least and the `below` greatest of n."""
    return 1 - 2 * sum(comb(n, k) for k in range(below + 1)) / 2**n
