"""A grammar's law: the inside sums against every tree, and what is asked of the table against the table."""

import itertools
import math
import random

import numpy as np
import pytest

from tasks.grammar import Grammar, inside

RNG = np.random.default_rng(5)
SPLITS = RNG.dirichlet(np.ones(4), size=2).reshape(2, 2, 2) * 0.5
SAYS = RNG.dirichlet(np.ones(3), size=2) * 0.5


def tree_sum(phrase: int, ids: tuple[int, ...]) -> float:
    """The probability that a phrase becomes this string: every way to split it, one by one."""
    total = SAYS[phrase, ids[0]] if len(ids) == 1 else 0.0
    for at in range(1, len(ids)):
        for left, right in itertools.product(range(2), repeat=2):
            total += SPLITS[phrase, left, right] * tree_sum(left, ids[:at]) * tree_sum(right, ids[at:])
    return float(total)


def test_the_law_is_the_sum_over_all_trees() -> None:
    law, every = inside(0, SPLITS, SAYS, 4), list(itertools.product(range(3), repeat=4))
    sums = {ids: tree_sum(0, ids) for ids in every}
    whole = sum(sums.values())
    for ids in every:
        assert law[ids] == pytest.approx(sums[ids] / whole)


LAW = Grammar(phrases=4, symbols=3, n=5, branches=2, law=1).chain
EVERY = {ids: float(LAW.table[ids]) for ids in itertools.product(range(3), repeat=5)}


def test_next_and_infill_laws_are_conditionals() -> None:
    assert sum(EVERY.values()) == pytest.approx(1)
    assert 0 in EVERY.values()
    for known in itertools.product([None, 0, 1, 2], repeat=5):
        fitting = {x: p for x, p in EVERY.items() if all(k in (None, s) for k, s in zip(known, x, strict=True))}
        whole = sum(fitting.values())
        if not whole:
            with pytest.raises(ValueError, match="probability 0"):
                LAW.infill_law(list(known))
            continue
        law = LAW.infill_law(list(known))
        for i, v in itertools.product(range(5), range(3)):
            assert law[i, v] == pytest.approx(sum(p for x, p in fitting.items() if x[i] == v) / whole)
        prefix = list(itertools.takewhile(lambda symbol: symbol is not None, known))
        if len(prefix) < 5 and known[len(prefix) :] == (None,) * (5 - len(prefix)):
            assert LAW.next_law([s for s in prefix if s is not None]) == pytest.approx(law[len(prefix)])


def test_entropies_validity_and_draws() -> None:
    assert LAW.entropy == pytest.approx(-sum(p * math.log(p) for p in EVERY.values() if p))
    marginals = LAW.infill_law([None] * 5)
    assert LAW.marginal_entropy == pytest.approx(-sum(p * math.log(p) for p in marginals.flat if p))
    at_once = sum(math.prod(marginals[i, v] for i, v in enumerate(x)) for x, p in EVERY.items() if p)
    assert LAW.valid_at_once == pytest.approx(at_once)
    rng, n = random.Random(0), 20_000
    drawn = [tuple(LAW.draw(rng)) for _ in range(n)]
    for ids, p in EVERY.items():
        assert abs(drawn.count(ids) / n - p) <= 4.5 * (p * (1 - p) / n) ** 0.5
        assert LAW.nats(list(ids)) == (pytest.approx(-math.log(p)) if p else math.inf)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="symbols=5, branches=4: must be from 1 to phrases=3, to 9"):
        Grammar(3, 5, 4, 4, 0)
    with pytest.raises(ValueError, match="n=20: 4\\^20 strings are more than"):
        Grammar(4, 4, 20, 2, 0)
