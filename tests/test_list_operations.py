"""The verifier against brute force, the formulas against enumeration and ORACLES' published values."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base import Example, Setting, split_of
from tasks.list_operations import (
    FILLER,
    ListOperations,
    hole_entropy,
    replace_random_accuracy,
    shuffle_accuracy,
)

EVERY = ["copy", "reverse", "sort", "replace_index", "replace_random", "shuffle"]


def task(n: int = 6, alphabet: int = 10, instruction: str = "before") -> ListOperations:
    return ListOperations(n, alphabet, EVERY, instruction)  # type: ignore[arg-type]


def right_answers(example: Example, n: int) -> set[str]:
    """By enumeration over everything of the right length, from the operation's definition alone."""
    words = f"{example.prompt} {example.suffix}".split()
    items, operation, index = words[:n], words[n], words[n + 1]
    found = set()
    for answer in itertools.product([*items, FILLER], repeat=n):
        changed = [i for i in range(n) if answer[i] != items[i]]
        if {
            "copy": list(answer) == items,
            "reverse": list(answer) == items[::-1],
            "sort": list(answer) == sorted(items),
            "replace_index": index != "-" and changed == [int(index) - 1] and answer[changed[0]] == FILLER,
            "replace_random": len(changed) == 1 and answer[changed[0]] == FILLER,
            "shuffle": sorted(answer) == sorted(items),
        }[operation]:
            found.add(" ".join(answer))
    return found


@pytest.mark.parametrize("instruction", ["before", "after"])
def test_the_verifier_accepts_right_answers_and_nothing_else(instruction: str) -> None:
    small = task(4, 6, instruction)
    sizes = {"copy": 1, "reverse": 1, "sort": 1, "replace_index": 1, "replace_random": 4, "shuffle": 24}
    for example in itertools.islice(small.examples("test"), 24):
        right = right_answers(example, 4)
        items = f"{example.prompt} {example.suffix}".split()[:4]
        assert len(right) == sizes[example.stratum]
        assert example.target in right
        for answer in itertools.product([*items, FILLER, "z"], repeat=4):
            text = " ".join(answer)
            assert small.score(example, text) == {"accuracy": float(text in right)}
        for text in ("", items[0], " ".join([*items, items[0]]), " ".join(items[:3])):
            assert small.score(example, text) == {"accuracy": 0.0}


def test_every_right_answer_is_drawn_alike() -> None:
    small = task(4, 6)
    drawn: dict[str, list[int]] = {"replace_random": [0] * 4, "shuffle": [0] * 24}
    for example in itertools.islice(small.examples("train"), 6 * 6000):
        if example.stratum in drawn:
            items = example.prompt.split()[:4]
            if example.stratum == "replace_random":
                drawn[example.stratum][example.target.split().index(FILLER)] += 1
            else:
                orders = list(itertools.permutations(range(4)))
                drawn[example.stratum][orders.index(tuple(items.index(w) for w in example.target.split()))] += 1
    for counts in drawn.values():
        mean = sum(counts) / len(counts)
        assert all(abs(count - mean) < 4.5 * mean**0.5 for count in counts), "the identity is an answer like any other"


def test_splits_share_no_list_and_examples_repeat_themselves() -> None:
    one = task()
    lists = {
        split: {tuple(e.prompt.split()[:6]) for e in itertools.islice(one.examples(split), 3000)}
        for split in ("train", "valid", "test")
    }
    for left, right in itertools.combinations(lists.values(), 2):
        assert not left & right
    assert all(split_of("".join(items)) == split for split, found in lists.items() for items in found)
    whole = list(itertools.islice(one.examples("train"), 50))
    assert whole == list(itertools.islice(task().examples("train"), 50))
    assert whole[20:] == list(itertools.islice(one.examples("train", first=20), 30))
    assert len({e.id for e in whole}) == 50


PUBLISHED = [
    ("shuffle", (1,) * 6, 1.0), ("shuffle", (2, 2, 2), 0.3125), ("shuffle", (3, 3), 0.1235), ("shuffle", (6,), 0.0154),
    ("shuffle", (4, 2), 0.1389), ("shuffle", (2, 2, 1, 1), 0.625),
    ("replace_random", (1,) * 6, 1.0), ("replace_random", (2, 2, 2), 0.7335), ("replace_random", (3, 3), 0.6044),
    ("replace_random", (6,), 0.4019),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "quotas", "value"), PUBLISHED)
def test_formulas_give_the_published_values(operation: str, quotas: tuple[int, ...], value: float) -> None:
    theory = task().theory(Setting("accuracy", operation, quotas, "random", 1.0, "bound"))
    assert theory is not None
    assert theory.value == pytest.approx(value, abs=5e-5)


def enumerated_accuracy(operation: str, quotas: tuple[int, ...]) -> Fraction:
    """Independent draws from exact conditionals, every outcome of every pass enumerated, holes taken left to right."""
    n = sum(quotas)
    answers = (
        list(itertools.permutations(range(n)))
        if operation == "shuffle"
        else [tuple(FILLER if i == j else i for i in range(n)) for j in range(n)]
    )

    def go(written: tuple[object, ...], left: tuple[int, ...]) -> Fraction:
        fitting = [answer for answer in answers if answer[: len(written)] == written]
        if not fitting or not left:
            return Fraction(bool(fitting))
        marginals: list[dict[object, Fraction]] = []
        for hole in range(len(written), len(written) + left[0]):
            law: dict[object, Fraction] = {}
            for answer in fitting:
                law[answer[hole]] = law.get(answer[hole], Fraction(0)) + Fraction(1, len(fitting))
            marginals.append(law)
        total = Fraction(0)
        for tokens in itertools.product(*marginals):
            chance = math.prod((law[token] for law, token in zip(marginals, tokens, strict=True)), start=Fraction(1))
            total += chance * go((*written, *tokens), left[1:])
        return total

    return go((), quotas)


def compositions(n: int) -> list[tuple[int, ...]]:
    return [(first, *rest) for first in range(1, n + 1) for rest in compositions(n - first)] if n else [()]


@pytest.mark.parametrize("quotas", [q for n in (2, 3, 4) for q in compositions(n)])
def test_formulas_equal_enumeration(quotas: tuple[int, ...]) -> None:
    assert shuffle_accuracy(quotas, 1.0) == pytest.approx(float(enumerated_accuracy("shuffle", quotas)), rel=1e-12)
    assert replace_random_accuracy(quotas, 1.0) == pytest.approx(
        float(enumerated_accuracy("replace_random", quotas)), rel=1e-12
    )


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.floats(0.2, 5.0))
@settings(max_examples=100, deadline=None)
def test_accuracies_are_probabilities_at_any_temperature(quotas: list[int], temperature: float) -> None:
    for formula in (shuffle_accuracy, replace_random_accuracy):
        value = formula(quotas, temperature)
        assert value is not None
        assert 0 <= value <= 1 + 1e-12


@pytest.mark.parametrize(
    ("quotas", "value"),
    [((1,) * 6, 1.0), ((3, 3), 0.0), ((5, 1), 1.0), ((2, 2, 2), None), ((6,), 0.0), ((2, 2, 2, 1), 1.0)],
)
def test_greedy_replace_random_depends_on_the_last_pass_alone(quotas: tuple[int, ...], value: float | None) -> None:
    assert replace_random_accuracy(quotas, 0.0) == value


def test_greedy_shuffle_is_right_one_by_one_and_undecided_otherwise() -> None:
    assert shuffle_accuracy((1, 1, 1), 0.0) == 1.0
    assert shuffle_accuracy((2, 1), 0.0) is None


@pytest.mark.parametrize(
    ("kind", "quotas", "order"),
    [("pseudo", (1,) * 6, "random"), ("bound", (2, 2, 2), "confidence"), ("bound", (2, 2), "random")],
)
def test_no_theory_where_none_is_known(kind: str, quotas: tuple[int, ...], order: str) -> None:
    assert task().theory(Setting("accuracy", "shuffle", quotas, order, 1.0, kind)) is None


def test_loss_oracles() -> None:
    def nats(operation: str, quotas: tuple[int, ...], order: str | None, kind: str) -> float:
        theory = task().theory(Setting("nats_per_token", operation, quotas, order, 1.0, kind))
        assert theory is not None
        return theory.value

    assert nats("shuffle", (6,), None, "exact") == pytest.approx(math.log(6))
    assert nats("shuffle", (1,) * 6, None, "exact") == pytest.approx(math.log(720) / 6)
    assert nats("shuffle", (3, 3), "random", "bound") == pytest.approx(math.log(720) / 6)
    assert nats("replace_random", (1,) * 6, None, "exact") == pytest.approx(math.log(6) / 6)
    assert nats("copy", (6,), None, "exact") == 0
    for operation, correlation in (("shuffle", 6.018), ("replace_random", 1.315)):  # C, bits: what one pass loses
        lost = 6 * (nats(operation, (6,), None, "exact") - nats(operation, (1,) * 6, None, "exact")) / math.log(2)
        assert lost == pytest.approx(correlation, abs=5e-4)
    assert hole_entropy("copy", 3, 6) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((1, 10, ["copy"]), r"n=1, alphabet=10: must be 2 <= n <= alphabet <= 26"),
        ((9, 8, ["copy"]), r"n=9, alphabet=8"),
        ((6, 27, ["copy"]), r"n=6, alphabet=27"),
        ((6, 10, []), r"operations=\[\]: must name at least one"),
        ((6, 10, ["copy", "copy"]), r"none twice"),
        ((2, 5, ["copy"]), r"must give 100 lists or more"),
    ],
)
def test_impossible_settings_are_named(settings: tuple[int, int, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ListOperations(*settings, "before")  # type: ignore[arg-type]
