"""A language of nested phrases: a probabilistic context-free grammar over the strings of one length.

Short strings can all be gone through: the inside sums (Baker, 1979) are taken for every string at once, and whatever is
asked of the law afterwards is a sum over a table.
"""

import math
import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tasks.chain import sparse
from tasks.language import Language

Array = NDArray[np.float64]
MOST_STRINGS = 2**20


@dataclass(frozen=True)
class Strings:
    """The probability of every string: axis i of the table is position i, its length the number of symbols."""

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
        """One string."""
        number = int(np.searchsorted(self.rising, rng.random(), side="right"))
        return [int(symbol) for symbol in np.unravel_index(number, self.table.shape)]

    def nats(self, ids: list[int]) -> float:
        """-ln q(x); inf where the string is impossible."""
        p = float(self.table[tuple(ids)])
        return -math.log(p) if p > 0 else math.inf

    def next_law(self, prefix: list[int]) -> Array:
        """q(x_t | x_<t) over the symbols, (V,); the prefix must be possible."""
        rest = self.table[tuple(prefix)]
        law_V = rest.reshape(self.symbols, -1).sum(1)
        return law_V / law_V.sum()

    def infill_law(self, known_N: list[int | None]) -> Array:
        """q(x_i | the known others) for every position, (n, V). Raises ValueError where what is known is impossible."""
        kept = self.table[tuple(slice(None) if i is None else slice(i, i + 1) for i in known_N)]
        if kept.sum() == 0:
            raise ValueError("what is known has probability 0")
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
        """Sum of the entropies of the positions by themselves, nats."""
        law_NV = self.infill_law([None] * self.n)
        return float(-(law_NV * np.log(np.where(law_NV > 0, law_NV, 1))).sum())

    @cached_property
    def valid_at_once(self) -> float:
        """P(q(x) > 0) where each position is drawn from its marginal."""
        at_once = np.ones(())
        for law_V in self.infill_law([None] * self.n):
            at_once = at_once[..., None] * law_V
        return float(at_once[self.table > 0].sum())


def inside(start: int, split_ABC: Array, say_AV: Array, n: int) -> Array:
    """The law of the start symbol's strings of length n: sums over all trees, for all strings together.

    split_ABC: probability that A becomes B C.  say_AV: that A becomes the symbol v.
    """
    spans = {1: [*say_AV]}
    for length in range(2, n + 1):
        found = [np.zeros((say_AV.shape[1],) * length) for _ in say_AV]
        for a, b, c in np.argwhere(split_ABC > 0):
            for left in range(1, length):
                found[a] += split_ABC[a, b, c] * np.multiply.outer(spans[left][b], spans[length - left][c])
        spans[length] = found
    return spans[n][start] / spans[n][start].sum()


class Grammar(Language):
    """phrases: kinds of phrase (nonterminals), the first of which starts.  symbols, n: of a text.  law: seed of the rules.

    branches: in how many ways a phrase splits in two, all others being impossible; as often it is its one symbol.
    """

    def __init__(self, phrases: int, symbols: int, n: int, branches: int, law: int):
        if not 1 <= symbols <= phrases or not 1 <= branches <= phrases**2:
            raise ValueError(
                f"symbols={symbols}, branches={branches}: must be at most phrases={phrases} and {phrases**2}, at least 1"
            )
        if symbols**n > MOST_STRINGS:
            raise ValueError(
                f"n={n}: {symbols}^{n} strings are more than the {MOST_STRINGS:,} that can be gone through"
            )
        rng = np.random.default_rng(law)
        splits = sparse(rng, phrases, phrases**2, branches).reshape((phrases,) * 3)
        says = sparse(rng, phrases, symbols, 1)
        super().__init__(Strings(inside(0, splits / 2, says / 2, n)), law)
