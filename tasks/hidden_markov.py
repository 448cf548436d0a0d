"""A hidden Markov language: the distribution of a symbol depends on all previous symbols."""

import numpy as np

from tasks.chain import Chain, check_chain, sparse
from tasks.language import Language


class HiddenMarkov(Language[Chain]):
    """states, symbols: of the chain.  n: symbols a text.  law: seed of the tables.

    branches: possible successors of a state, and symbols that it can emit; all others have probability 0.
    """

    def __init__(self, states: int, symbols: int, n: int, branches: int, law: int):
        check_chain(n, symbols, states, law)
        if not 1 <= branches <= min(states, symbols):
            raise ValueError(f"branches={branches}: must be from 1 to the fewer of states={states}, symbols={symbols}")
        rng = np.random.default_rng(law)
        moves, says = sparse(rng, states, states, branches), sparse(rng, states, symbols, branches)
        super().__init__(Chain(np.full(states, 1 / states), moves, says, n), law)
