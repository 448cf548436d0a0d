"""A language in which a symbol depends on the one before it alone: the simplest that has an order at all."""

import numpy as np

from tasks.chain import Chain, sparse
from tasks.language import Language


class Bigram(Language[Chain]):
    """symbols: of the language.  n: symbols in a text.  branches: how many can follow one.  law: seed of the table."""

    def __init__(self, symbols: int, n: int, branches: int, law: int):
        if not 1 <= branches <= symbols:
            raise ValueError(f"branches={branches}: must be from 1 to symbols={symbols}")
        table = sparse(np.random.default_rng(law), symbols, symbols, branches)
        super().__init__(Chain(np.full(symbols, 1 / symbols), table, np.eye(symbols), n), law)
