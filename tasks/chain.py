"""Exact inference in a hidden Markov chain: sampling, probabilities, conditionals and entropies.

States S, symbols V, sequences of n symbols. Sums over state paths are forward and backward recursions (Rabiner, 1989);
sums over all sequences are recursions where they factor, and enumerations where they do not.
"""

import bisect
import math
import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ENUMERATED = 4**13  # most sequences that are enumerated
CHUNK = 4**9
MOST_STATES = MOST_SYMBOLS = 1000


@dataclass(frozen=True)
class Chain:
    """start_S: P(first state).  move_SS: P(next state | state).  emit_SV: P(symbol | state).  n: symbols a sequence."""

    start_S: Array
    move_SS: Array
    emit_SV: Array
    n: int

    @property
    def symbols(self) -> int:
        return self.emit_SV.shape[1]

    def draw(self, rng: random.Random) -> list[int]:
        """A sampled sequence, n symbols."""
        found, state_S = [], self.rising[0][0]
        for _ in range(self.n):
            state = bisect.bisect(state_S, rng.random())
            found.append(bisect.bisect(self.rising[2][state], rng.random()))
            state_S = self.rising[1][state]
        return found

    @cached_property
    def rising(self) -> list[list[list[float]]]:
        """The cumulative sums of the three tables; complete rows exceed any uniform number, whatever the rounding."""
        tables = (self.start_S[None], self.move_SS, self.emit_SV)
        return [np.where(table.cumsum(1) > 1 - 1e-12, 2.0, table.cumsum(1)).tolist() for table in tables]

    def nats(self, ids: list[int]) -> float:
        """-ln q(x); inf for an impossible sequence."""
        belief_S, nats = self.start_S, 0.0
        for symbol in ids:
            joint_S = belief_S * self.emit_SV[:, symbol]
            total = float(joint_S.sum())
            if total == 0:
                return math.inf
            nats -= math.log(total)
            belief_S = joint_S / total @ self.move_SS
        return nats

    def next_law(self, prefix: list[int]) -> Array:
        """q(x_t | x_<t), (V,); the prefix must be possible."""
        belief_S = self.start_S
        for symbol in prefix:
            joint_S = belief_S * self.emit_SV[:, symbol]
            belief_S = joint_S / joint_S.sum() @ self.move_SS
        return belief_S @ self.emit_SV

    def infill_law(self, known_N: list[int | None]) -> Array:
        """q(x_i | known symbols) for every position, (n, V), by forward and backward recursions.

        A known position has probability 1 for its symbol. Raises ValueError if the known symbols have probability 0.
        """
        seen_NS = np.stack([np.ones(len(self.start_S)) if i is None else self.emit_SV[:, i] for i in known_N])
        before_NS, after_NS = np.empty_like(seen_NS), np.ones_like(seen_NS)
        before_NS[0] = self.start_S
        for i in range(1, self.n):
            before_NS[i] = (before_NS[i - 1] * seen_NS[i - 1]) @ self.move_SS
        for i in reversed(range(self.n - 1)):
            after_NS[i] = self.move_SS @ (seen_NS[i + 1] * after_NS[i + 1])
        law_NV = (before_NS * after_NS) @ self.emit_SV
        for i, symbol in enumerate(known_N):
            if symbol is not None:
                law_NV[i] *= np.arange(self.symbols) == symbol
        totals_N = law_NV.sum(1, keepdims=True)
        if not totals_N.all():
            raise ValueError("the known symbols have probability 0")
        return law_NV / totals_N

    @cached_property
    def marginal_entropy(self) -> float:
        """Sum of the marginal entropies of the positions, nats: the cross-entropy of factorised sampling."""
        law_NV = self.infill_law([None] * self.n)
        return float(-(law_NV * np.log(np.where(law_NV > 0, law_NV, 1))).sum())

    @cached_property
    def entropy(self) -> float:
        """H(x), nats, by enumeration of all sequences, in chunks. Raises ValueError if they are too many."""
        if self.symbols**self.n > ENUMERATED:
            raise ValueError(f"{self.symbols}^{self.n} sequences are too many to enumerate")
        joint_XS = self.start_S[None]
        for _ in range(self.n - 1):
            if joint_XS.shape[0] * self.symbols > CHUNK:
                break
            joint_XS = self.longer(joint_XS)
        done = round(math.log(joint_XS.shape[0], self.symbols)) if self.symbols > 1 else 0
        return sum(self.rest_entropy(row_S[None], self.n - done) for row_S in joint_XS)

    def longer(self, joint_XS: Array) -> Array:
        """From p(prefix, next state) of X prefixes, (X, S), to that of their X * V extensions, (X * V, S)."""
        joint_XVS = (joint_XS[:, None, :] * self.emit_SV.T[None]) @ self.move_SS
        return joint_XVS.reshape(-1, len(self.start_S))

    def rest_entropy(self, joint_XS: Array, left: int) -> float:
        for _ in range(left):
            joint_XS = self.longer(joint_XS)
            joint_XS = joint_XS[joint_XS.any(1)]
        chance_X = joint_XS.sum(1)
        return float(-(chance_X * np.log(chance_X)).sum())

    @cached_property
    def valid_at_once(self) -> float:
        """P(q(x) > 0) under factorised sampling from the marginals, summed over the sets of states a prefix allows."""
        law_NV = self.infill_law([None] * self.n)
        can_emit_SV, can_move_SS = self.emit_SV > 0, self.move_SS > 0
        chance: dict[tuple[bool, ...], float] = {tuple(bool(p) for p in self.start_S > 0): 1.0}
        for law_V in law_NV:
            following: dict[tuple[bool, ...], float] = {}
            for states, p in chance.items():
                for symbol in range(self.symbols):
                    here_S = np.array(states) & can_emit_SV[:, symbol]
                    if here_S.any() and law_V[symbol] > 0:
                        then = tuple((can_move_SS[here_S].sum(0) > 0).tolist())
                        following[then] = following.get(then, 0.0) + p * law_V[symbol]
            chance = following
        return float(sum(chance.values()))


def check_chain(n: int, symbols: int, states: int, law: int) -> None:
    """Raises ValueError where the entropy of a chain of this size cannot be computed, or `law` is no seed."""
    if n < 2 or symbols < 1 or n * math.log(symbols) > math.log(ENUMERATED + 0.5) or n > MOST_SYMBOLS:
        most = f"from 2 to {MOST_SYMBOLS} and at least 1, and symbols^n at most {ENUMERATED:,}"
        raise ValueError(f"n={n}, symbols={symbols}: must be {most}")
    if not 1 <= states <= MOST_STATES:
        raise ValueError(f"states={states}: must be from 1 to {MOST_STATES}")
    if law < 0:
        raise ValueError(f"law={law}: must be at least 0")


def sparse(rng: np.random.Generator, rows: int, columns: int, branches: int) -> Array:
    """Rows that sum to 1 with `branches` positive entries, (rows, columns); every column has one where possible."""
    table = np.zeros((rows, columns))
    for row in range(rows):
        others = rng.permutation([column for column in range(columns) if column != row % columns])
        chosen = [row % columns, *others[: branches - 1]]
        table[row, chosen] = rng.dirichlet(np.full(branches, 3.0))
    return table
