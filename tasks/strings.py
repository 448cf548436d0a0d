"""Exact inference in a language of few strings: every quantity is a sum over the table of their probabilities."""

import math
import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Strings:
    """table: the probability of every string, (V, ..., V), with one axis a position."""

    table: Array

    @property
    def n(self) -> int:
        return self.table.ndim

    @property
    def symbols(self) -> int:
        return self.table.shape[0]

    @cached_property
    def rising(self) -> Array:
        return np.where((rising := self.table.cumsum()) > 1 - 1e-12, 2.0, rising)

    def draw(self, rng: random.Random) -> list[int]:
        """A sampled string, n symbols."""
        number = int(np.searchsorted(self.rising, rng.random(), side="right"))
        return [int(symbol) for symbol in np.unravel_index(number, self.table.shape)]

    def nats(self, ids: list[int]) -> float:
        """-ln q(x); inf for an impossible string."""
        p = float(self.table[tuple(ids)])
        return -math.log(p) if p > 0 else math.inf

    def next_law(self, prefix: list[int]) -> Array:
        """q(x_t | x_<t), (V,); the prefix must be possible."""
        rest = self.table[tuple(prefix)]
        law_V = rest.reshape(self.symbols, -1).sum(1)
        return law_V / law_V.sum()

    def infill_law(self, known_N: list[int | None]) -> Array:
        """q(x_i | known symbols) for every position, (n, V). Raises ValueError if these have probability 0."""
        kept = self.table[tuple(slice(None) if i is None else slice(i, i + 1) for i in known_N)]
        if kept.sum() == 0:
            raise ValueError("the known symbols have probability 0")
        law_NV = np.zeros((self.n, self.symbols))
        for i, symbol in enumerate(known_N):
            others = tuple(axis for axis in range(self.n) if axis != i)
            law_NV[i, slice(None) if symbol is None else slice(symbol, symbol + 1)] = kept.sum(others) / kept.sum()
        return law_NV

    @cached_property
    def entropy(self) -> float:
        """H(x), nats."""
        possible = self.table[self.table > 0]
        return float(-(possible * np.log(possible)).sum())

    @cached_property
    def marginal_entropy(self) -> float:
        """Sum of the marginal entropies of the positions, nats."""
        law_NV = self.infill_law([None] * self.n)
        return float(-(law_NV * np.log(np.where(law_NV > 0, law_NV, 1))).sum())

    @cached_property
    def valid_at_once(self) -> float:
        """P(q(x) > 0) under factorised sampling from the marginals."""
        at_once = np.ones(())
        for law_V in self.infill_law([None] * self.n):
            at_once = at_once[..., None] * law_V
        return float(at_once[self.table > 0].sum())
