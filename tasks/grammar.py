"""A language of nested phrases: a probabilistic context-free grammar over strings of one length.

All strings are short enough to enumerate: inside probabilities (Baker, 1979) are computed for all of them at once.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.chain import sparse
from tasks.language import Language
from tasks.strings import Strings

Array = NDArray[np.float64]
MOST_STRINGS = 2**20
MOST_PHRASES, MOST_SYMBOLS = 100, 32  # of tables with phrases^3 entries; numpy arrays have no more axes


def inside(start: int, split_ABC: Array, say_AV: Array, n: int) -> Array:
    """The distribution over strings of length n of a start symbol, (V, ..., V) with n axes; trees are summed over.

    split_ABC: the probability that A becomes B C.  say_AV: that A becomes the symbol v.
    """
    spans = {1: [*say_AV]}
    for length in range(2, n + 1):
        found = [np.zeros((say_AV.shape[1],) * length) for _ in say_AV]
        for a, b, c in np.argwhere(split_ABC > 0):
            for left in range(1, length):
                found[a] += split_ABC[a, b, c] * np.multiply.outer(spans[left][b], spans[length - left][c])
        spans[length] = found
    return spans[n][start] / spans[n][start].sum()


class Grammar(Language[Strings]):
    """phrases: nonterminals, the first of which is the start.  symbols, n: of a text.  law: seed of the rules.

    branches: possible binary rules of a nonterminal; with probability 1/2 it instead emits its one symbol.
    """

    def __init__(self, phrases: int, symbols: int, n: int, branches: int, law: int):
        if not 1 <= phrases <= MOST_PHRASES:
            raise ValueError(f"phrases={phrases}: must be from 1 to {MOST_PHRASES}")
        if not 2 <= n <= MOST_SYMBOLS or law < 0:
            raise ValueError(f"n={n}, law={law}: must be from 2 to {MOST_SYMBOLS} and at least 0")
        if not 1 <= symbols <= phrases or not 1 <= branches <= phrases**2:
            raise ValueError(
                f"symbols={symbols}, branches={branches}: must be from 1 to phrases={phrases}, to {phrases**2}"
            )
        if symbols**n > MOST_STRINGS:
            raise ValueError(f"n={n}: {symbols}^{n} strings are more than the {MOST_STRINGS:,} that can be enumerated")
        rng = np.random.default_rng(law)
        splits = sparse(rng, phrases, phrases**2, branches).reshape((phrases,) * 3)
        says = sparse(rng, phrases, symbols, 1)
        super().__init__(Strings(inside(0, splits / 2, says / 2, n)), law)
