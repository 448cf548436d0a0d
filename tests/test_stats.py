"""Intervals: known values, honest names."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from wordways.report.stats import clustered, holm, mcnemar, mean, median, paired, paired_pooled, pooled, proportion


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


def test_items_that_share_an_instance_count_for_less() -> None:
    """Every item twice: the error of the mean is that of the single items, not smaller."""
    once = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    twice = clustered([value for value in once for _ in range(2)], [str(i) for i in range(8) for _ in range(2)])
    alone = mean(once)
    assert twice.high - twice.low == pytest.approx(alone.high - alone.low, rel=0.05)
    assert twice.method == "t, clustered by 8 instances"
    assert mean([value for value in once for _ in range(2)]).high < twice.high
    sure = clustered([1.0] * 16, [str(i // 2) for i in range(16)])
    assert (sure.high, sure.low) == (proportion(8, 8).high, proportion(8, 8).low), "eight instances, not sixteen items"
    both = paired([0.0, 0, 1, 1, 0, 0], [1.0, 1, 1, 1, 0, 0], list("aabbcc"))
    alone = paired([0.0, 1, 0], [1.0, 1, 0])
    assert both.difference.value == alone.difference.value
    assert both.p > paired([0.0, 0, 1, 1, 0, 0] * 2, [1.0, 1, 1, 1, 0, 0] * 2).p


def test_medians_lie_between_order_statistics() -> None:
    interval = median([5, 1, 2, 3, 4, 10, 9, 8, 7, 6])
    assert (interval.value, interval.low, interval.high) == (5.5, 2, 9)  # ranks 2 and 9 of 10
    assert interval.method == "order statistics, 97.9%"
    assert median([3, 1, 2]).method == "range"


# A 95 % interval covers what it should in 95 % of cases, at the sizes that reports use: 2,000 simulated truths each.
SIMULATED = {
    "one pass over a shuffle, 2,000 items": lambda rng: proportion(rng.binomial(2000, 0.0154), 2000),
    "two holes a pass, 2,000 items": lambda rng: proportion(rng.binomial(2000, 0.3125), 2000),
    "nearly always right, 2,000 items": lambda rng: proportion(rng.binomial(2000, 0.98), 2000),
    "three seeds": lambda rng: mean(rng.normal(0.3125, 0.01, 3).tolist()),
    "nats of 200 texts": lambda rng: mean(rng.gamma(2.0, 0.5, 200).tolist()),
    "two paradigms, 2,000 items": lambda rng: paired(*shared_luck(rng, 2000)).difference,
    "questions, two a story, 1,000 stories": lambda rng: clustered(*two_a_story(rng, 1000)),
    "a ratio of sums, 1,000 texts": lambda rng: pooled(counts(rng, 1000), ratio),
    "two ratios of sums, 1,000 texts": lambda rng: (
        paired_pooled(counts(rng, 1000), counts(rng, 1000), ratio).difference
    ),
    "ten repeats of a timing": lambda rng: median(rng.exponential(size=10).tolist()),
}
TRUTHS = [0.0154, 0.3125, 0.98, 0.3125, 1.0, 0.1, 0.7, 0.4, 0.0, float(np.log(2))]
LEVELS = dict.fromkeys(SIMULATED, 0.95) | {"ten repeats of a timing": 0.979}


SLOW = [name for name in SIMULATED if "ratio" in name]
COVERED = [
    pytest.param(name, truth, id=name, marks=[pytest.mark.slow] * (name in SLOW))
    for name, truth in zip(SIMULATED, TRUTHS, strict=True)
]


def shared_luck(rng: np.random.Generator, n: int) -> tuple[list[float], list[float]]:
    """Two paradigms' right and wrong answers on the same items, of which some are hard for both."""
    ease = rng.uniform(0, 1, n)
    return [(np.where(rng.uniform(0, 1, n) < p, ease > 0.2, ease > 0.7) * 1.0).tolist() for p in (0.5, 0.7)]  # type: ignore[return-value]


def two_a_story(rng: np.random.Generator, n: int) -> tuple[list[float], list[str]]:
    """Right answers to two questions about the same story, nearly always both or none."""
    ease, luck = rng.uniform(0, 1, n), rng.uniform(0, 1, (2, n))
    right = np.where(luck < 0.9, ease < 0.7, rng.uniform(0, 1, (2, n)) < 0.7)
    return right.T.ravel().astype(float).tolist(), [f"{story}" for story in range(n) for _ in range(2)]


def counts(rng: np.random.Generator, n: int) -> list[list[float]]:
    lengths = rng.integers(5, 20, n)
    return np.stack([rng.binomial(lengths, 0.4), lengths], axis=1).astype(float).tolist()


def ratio(sums) -> float:
    return sums[0] / sums[1]


@pytest.mark.parametrize(("name", "truth"), COVERED)
def test_intervals_cover_as_often_as_they_say(name: str, truth: float) -> None:
    rng, level = np.random.default_rng(0), LEVELS[name]
    intervals = [SIMULATED[name](rng) for _ in range(2000)]
    covered = sum(interval.low <= truth <= interval.high for interval in intervals) / 2000
    assert level - 0.02 <= covered <= level + 0.02


def test_paired_differences_are_surer_than_the_difference_of_two() -> None:
    first, second = shared_luck(np.random.default_rng(0), 2000)
    together = paired(first, second).difference
    apart = (mean(first), mean(second))
    assert together.value == pytest.approx(apart[1].value - apart[0].value)
    assert together.high - together.low < sum((x.high - x.low) ** 2 for x in apart) ** 0.5
    assert together.method == "paired Student t"


def test_mcnemar_looks_at_the_items_that_differ() -> None:
    assert mcnemar([1, 1, 0], [1, 1, 0]) == 1
    assert mcnemar([0] * 8 + [1], [1] * 8 + [0]) == pytest.approx(2 * (1 + 9) / 2**9)
    assert mcnemar([0] * 8 + [1] + [1] * 500, [1] * 8 + [0] + [1] * 500) == pytest.approx(2 * (1 + 9) / 2**9)


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_the_bootstrap_resamples_items_and_is_seeded() -> None:
    rows = [[float(i % 2), 1.0] for i in range(400)]
    interval = pooled(rows, lambda sums: sums[0] / sums[1])
    assert interval == pooled(rows, lambda sums: sums[0] / sums[1])
    assert interval.value == 0.5
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * (0.25 / 400) ** 0.5, rel=0.15)
