"""A bigram language: a symbol depends only on the previous one, the simplest dependence on order."""

import numpy as np

from tasks.chain import Chain, check_chain, sparse
from tasks.language import Language


class Bigram(Language[Chain]):
    """symbols: of the language.  n: of a text.  branches: possible successors of a symbol.  law: seed of the table."""

    def __init__(self, symbols: int, n: int, branches: int, law: int):
        check_chain(n, symbols, symbols, law)
        if not 1 <= branches <= symbols:
            raise ValueError(f"branches={branches}: must be from 1 to symbols={symbols}")
        table = sparse(np.random.default_rng(law), symbols, symbols, branches)
        super().__init__(Chain(np.full(symbols, 1 / symbols), table, np.eye(symbols), n), law)
