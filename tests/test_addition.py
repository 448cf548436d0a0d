"""Sums: right, counted by their carries, and of the length that was asked for."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.addition import RUNS, Addition, longest_run
from tasks.base import Setting, split_of


def carries(a: int, b: int) -> list[bool]:
    """Whether each place hands a carry on, the right one first: by adding the tails."""
    return [a % 10**place + b % 10**place >= 10**place for place in range(1, 9)]


@given(st.integers(0, 10**8 - 1), st.integers(0, 10**8 - 1))
def test_the_longest_run_is_that_of_the_carries(a: int, b: int) -> None:
    runs = [len(list(run)) for carried, run in itertools.groupby(carries(a, b)) if carried]
    assert longest_run(a, b) == max(runs, default=0)


@pytest.mark.parametrize("first", ["most", "least"])
@pytest.mark.parametrize("longer", [0, 2])
def test_the_target_is_the_sum(first: str, longer: int) -> None:
    task = Addition(4, first, longer)  # type: ignore[arg-type]
    for split, digits in (("train", 4), ("test", 4 + longer)):
        for example in itertools.islice(task.examples(split), 30):  # type: ignore[arg-type]
            a, b = ("".join(part.split()) for part in example.prompt.rstrip("= ").split("+"))
            assert len(a) == len(b) == digits
            written = example.target.split()
            assert len(written) == digits + 1
            assert int("".join(written if first == "most" else written[::-1])) == int(a) + int(b)
            assert longest_run(int(a), int(b)) in RUNS[example.stratum]
            assert split_of(f"{int(a)} {int(b)}") == split
            assert task.score(example, example.target) == {"accuracy": 1}
            assert task.score(example, example.target[:-1] + "x") == {"accuracy": 0}


def test_theory_is_of_lengths_that_were_trained() -> None:
    setting = Setting("accuracy", "carry_0", (1,) * 5, None, 0.0, "exact")
    known, longer = Addition(4, "most", 0).theory(setting), Addition(4, "most", 1).theory(setting)
    assert known is not None
    assert known.value == 1
    assert longer is None


@pytest.mark.parametrize(("digits", "longer"), [(2, 0), (4, -1), (8, 5)])
def test_refusals(digits: int, longer: int) -> None:
    with pytest.raises(ValueError, match=f"digits={digits}, longer={longer}: must be"):
        Addition(digits, "most", longer)
