"""Randomness belongs to the row: independent of the batch, reproducible, uniform."""

import torch
from conftest import CPU, noise
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wordways.run.noise import GOLDEN, SeededNoise, mix

WORD = (1 << 64) - 1
ALL = torch.arange(3)


def splitmix64(bits: int) -> int:
    """The published finaliser in unbounded integers."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & WORD
    return bits ^ (bits >> 31)


@given(st.integers(-(2**63), 2**63 - 1))
def test_mix_is_splitmix64(bits: int) -> None:
    assert int(mix(torch.tensor(bits))) & WORD == splitmix64(bits & WORD)
    assert GOLDEN & WORD == 0x9E3779B97F4A7C15


def test_a_row_draws_the_same_alone_and_in_any_batch() -> None:
    together = noise("a", "b", "c").uniform(4, ALL, (5, 7))
    alone = noise("b").uniform(4, ALL[:1], (5, 7))
    assert torch.equal(together[1], alone[0])
    assert torch.equal(noise("c", "b").uniform(4, torch.tensor([1]), (5, 7)), alone)


def test_more_holes_only_add_numbers() -> None:
    assert torch.equal(noise("a").uniform(0, ALL[:1], (9, 4))[:, :5], noise("a").uniform(0, ALL[:1], (5, 4)))


def test_calls_streams_rows_and_seeds_differ() -> None:
    draws = [
        noise("a").uniform(0, ALL[:1], (50,)),
        noise("a").uniform(1, ALL[:1], (50,)),
        noise("b").uniform(0, ALL[:1], (50,)),
        noise("a").uniform(0, ALL[:1], (50,), stream=1), noise("a", seed=1).uniform(0, ALL[:1], (50,)),
    ]  # fmt: skip
    values = torch.cat(draws).flatten()
    assert len(values.unique()) == len(values)


def test_draws_are_uniform_and_uncorrelated() -> None:
    names = [f"item-{i}" for i in range(1000)]
    source, rows = SeededNoise(0, names, CPU), torch.arange(1000)
    first, second = source.uniform(0, rows, (1000,)), source.uniform(1, rows, (1000,))
    assert first.dtype == torch.float64
    assert float(first.min()) > 0
    assert float(first.max()) < 1
    for sample in (first.flatten(), first[:, 0], first[0], second.flatten()):
        assert stats.kstest(sample.numpy(), "uniform").pvalue > 1e-4
    for other in (second, first.roll(1, 0), first.roll(1, 1), source.uniform(0, rows, (1000,), stream=1)):
        assert abs(float(torch.corrcoef(torch.stack([first.flatten(), other.flatten()]))[0, 1])) < 5e-3


def test_numbers_that_are_hashed_ahead_are_those_of_their_pass() -> None:
    """Whatever was asked before, in whatever order: passes, rows, shapes and streams each have their own numbers."""
    used = noise("a", "b", "c")
    asked = [
        (0, ALL, (), 0), (1, ALL[1:], (), 0), (7, ALL, (4,), 1), (2, ALL, (), 1), (3, ALL.flip(0), (), 0),
        (400, ALL, (), 0), (6, ALL, (4,), 1), (8, ALL, (400,), 0),
    ]  # fmt: skip
    for call, rows, shape, stream in asked:
        fresh = torch.cat([noise(name).uniform(call, ALL[:1], shape, stream) for name in "abc"])
        assert torch.equal(used.uniform(call, rows, shape, stream), fresh[rows])
