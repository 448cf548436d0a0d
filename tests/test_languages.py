"""Languages with an exact law: every recursion against enumeration of all sequences."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base import Setting
from tasks.bigram import Bigram
from tasks.chain import Chain, sparse
from tasks.hidden_markov import HiddenMarkov
from tasks.language import Language

CHAIN = HiddenMarkov(states=3, symbols=3, n=4, branches=2, law=3).chain  # 33 of 81 sequences are impossible
EVERY = list(itertools.product(range(3), repeat=4))


def path_sum(chain: Chain, ids: tuple[int, ...]) -> float:
    """q(x) by going through every path of states."""
    total = 0.0
    for path in itertools.product(range(len(chain.start_S)), repeat=len(ids)):
        p = chain.start_S[path[0]]
        for here, there in itertools.pairwise(path):
            p *= chain.move_SS[here, there]
        total += p * math.prod(chain.emit_SV[state, symbol] for state, symbol in zip(path, ids, strict=True))
    return total


LAW = {ids: path_sum(CHAIN, ids) for ids in EVERY}


def test_the_law_is_one_and_some_sequences_are_impossible() -> None:
    assert sum(LAW.values()) == pytest.approx(1)
    assert 0 in LAW.values()
    for ids, p in LAW.items():
        nats = CHAIN.nats(list(ids))
        assert nats == math.inf if p == 0 else nats == pytest.approx(-math.log(p))


def test_entropies_and_validity_are_sums_over_all_sequences() -> None:
    assert CHAIN.entropy == pytest.approx(-sum(p * math.log(p) for p in LAW.values() if p))
    marginals = np.array([[sum(p for ids, p in LAW.items() if ids[i] == v) for v in range(3)] for i in range(4)])
    assert CHAIN.marginal_entropy == pytest.approx(-(marginals * np.log(np.where(marginals > 0, marginals, 1))).sum())
    at_once = sum(math.prod(marginals[i, v] for i, v in enumerate(ids)) for ids, p in LAW.items() if p > 0)
    assert CHAIN.valid_at_once == pytest.approx(at_once)


@given(st.lists(st.sampled_from([None, 0, 1, 2]), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_infill_laws_are_conditionals(known: list[int | None]) -> None:
    fitting = {x: p for x, p in LAW.items() if all(k in (None, s) for k, s in zip(known, x, strict=True))}
    if not sum(fitting.values()):
        with pytest.raises(ValueError, match="probability 0"):
            CHAIN.infill_law(known)
        return
    law = CHAIN.infill_law(known)
    for i, v in itertools.product(range(4), range(3)):
        expected = sum(p for ids, p in fitting.items() if ids[i] == v) / sum(fitting.values())
        assert law[i, v] == pytest.approx(expected, abs=1e-12)
    if known[0] is not None and known[1] is None:
        prefix = [k for k in itertools.takewhile(lambda k: k is not None, known) if k is not None]
        alone = CHAIN.infill_law([*prefix, *[None] * (4 - len(prefix))])[len(prefix)]
        assert CHAIN.next_law(prefix) == pytest.approx(alone)


def test_draws_follow_the_law() -> None:
    rng, n = random.Random(0), 20_000
    seen = {ids: 0 for ids in EVERY}
    for _ in range(n):
        seen[tuple(CHAIN.draw(rng))] += 1
    for ids, p in LAW.items():
        assert abs(seen[ids] - n * p) <= 4.5 * (n * p * (1 - p)) ** 0.5


def test_a_long_language_is_summed_in_chunks_or_refused() -> None:
    long = HiddenMarkov(states=2, symbols=3, n=12, branches=2, law=0).chain
    short = HiddenMarkov(states=2, symbols=3, n=11, branches=2, law=0).chain
    assert 0 < long.entropy - short.entropy < math.log(3), "the chain rule"
    with pytest.raises(ValueError, match=r"n=40, symbols=3: must be .* symbols\^n at most 67,108,864"):
        _ = HiddenMarkov(states=2, symbols=3, n=40, branches=2, law=0).chain.entropy


def test_a_bigram_has_the_entropy_of_its_steps() -> None:
    chain = Bigram(symbols=4, n=5, branches=2, law=0).chain
    weight, entropy = chain.start_S, math.log(4)
    steps = -(chain.move_SS * np.log(np.where(chain.move_SS > 0, chain.move_SS, 1))).sum(1)
    for _ in range(4):
        entropy += float(weight @ steps)
        weight = weight @ chain.move_SS
    assert chain.entropy == pytest.approx(entropy)


@pytest.mark.parametrize("task", [Bigram(6, 8, 2, 0), HiddenMarkov(12, 6, 8, 2, 0)], ids=["bigram", "hidden_markov"])
def test_what_theory_says_of_a_language(task: Language) -> None:
    example = next(iter(task.examples("test")))
    assert example == next(iter(task.examples("test")))
    assert example.target != next(iter(task.examples("train"))).target
    assert task.score(example, example.target) == {"accuracy": 1}
    for wrong in ("", "s0", f"{example.target} s0", example.target.replace("s", "t")):
        assert task.score(example, wrong) == {"accuracy": 0}

    def theory(measure: str, quotas: tuple[int, ...], kind: str = "exact") -> float | None:
        found = task.theory(Setting(measure, "all", quotas, None, 1.0, kind))
        return None if found is None else found.value

    ones = (1,) * 8
    assert theory("accuracy", ones) == 1
    assert 0 < (theory("accuracy", (8,)) or 0) < 0.2
    assert theory("accuracy", (4, 4)) is None
    assert theory("kl", ones) == 0
    assert theory("kl", (4, 4), "bound") == 0, "the optimum of the bound is the entropy"
    gap = theory("gap_bits", (8,))
    assert gap is not None
    assert gap == pytest.approx(
        8 * ((theory("nats_per_token", (8,)) or 0) - (theory("nats_per_token", ones) or 0)) / math.log(2)
    )
    assert gap == pytest.approx(8 * (theory("kl", (8,)) or 0) / math.log(2))


def test_tables_have_the_branches_asked_for() -> None:
    table = sparse(np.random.default_rng(0), 5, 7, 3)
    assert table.sum(1) == pytest.approx(np.ones(5))
    assert ((table > 0).sum(1) == 3).all()
    assert (sparse(np.random.default_rng(0), 4, 4, 1) == np.eye(4)).all()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (HiddenMarkov, (3, 3, 4, 5, 0), "branches=5"),
        (Bigram, (3, 4, 0, 0), "branches=0"),
        (Bigram, (3, 1, 2, 0), "n=1"),
    ],
)
def test_impossible_settings_are_named(kind: type, settings: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(*settings)
