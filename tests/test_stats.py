"""Intervals: known values, honest names."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from wordways.stats import mean, median, pooled, proportion


def test_wilson() -> None:
    interval = proportion(8, 10)
    assert (interval.value, interval.method, interval.n) == (0.8, "Wilson", 10)
    assert (interval.low, interval.high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)  # Wilson, 1927, z = 1.96
    assert proportion(0, 20).low == 0
    assert proportion(20, 20).high == 1


def test_student_t() -> None:
    interval = mean([1.0, 2.0, 3.0, 6.0])
    expected = scipy_stats.t.interval(0.95, 3, 3.0, scipy_stats.sem([1, 2, 3, 6]))
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert mean([2.0]).method == "none"


def test_medians_lie_between_order_statistics() -> None:
    interval = median([5, 1, 2, 3, 4, 10, 9, 8, 7, 6])
    assert (interval.value, interval.low, interval.high) == (5.5, 2, 9)  # Hahn and Meeker: ranks 2 and 9 of 10, 97.9 %
    assert median([3, 1, 2]).method == "range"


def test_median_intervals_cover() -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(2000):
        interval = median(list(rng.exponential(size=10)))
        hits += interval.low <= np.log(2) <= interval.high
    assert hits / 2000 > 0.95


def test_the_bootstrap_resamples_items_and_is_seeded() -> None:
    rows = [[float(i % 2), 1.0] for i in range(400)]
    interval = pooled(rows, lambda sums: sums[0] / sums[1])
    assert interval == pooled(rows, lambda sums: sums[0] / sums[1])
    assert interval.value == 0.5
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * (0.25 / 400) ** 0.5, rel=0.15)
