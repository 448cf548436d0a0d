"""Intervals and p-values: known values, honest names, planted truths."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from wordways.report.stats import (
    Interval,
    Sample,
    Scale,
    estimate,
    geometric_ratio,
    holm,
    jackknifed,
    linearised,
    mean,
    median,
    over_trainings,
    units_of,
)

Rng = np.random.Generator


def names(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def of_items(values, scale: Scale = "plain", groups=()) -> Interval:
    found = units_of(list(values), names(len(values)), groups)
    assert found is not None
    return estimate([found], scale)


def proportion(successes: int, n: int) -> Interval:
    return of_items([1.0] * successes + [0.0] * (n - successes), "share")


def paired(first, second, groups=()) -> Interval:
    found = units_of([b - a for a, b in zip(first, second, strict=True)], names(len(first)), groups)
    assert found is not None
    return estimate([found], "share", paired=True)


def test_wilson() -> None:
    interval = proportion(8, 10)
    assert (interval.value, interval.method, interval.n) == (0.8, "Wilson", 10)
    assert (interval.low, interval.high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)  # Wilson, 1927, z = 1.96
    assert (proportion(0, 20).low, proportion(20, 20).high) == (0, 1)
    assert proportion(0, 20).high == pytest.approx(0.1611, abs=1e-4), "no error seen is not no error"
    of_all = of_items([1.0] * 8 + [0.0] * 2, "share")
    assert (of_all.low, of_all.high, of_all.method) == (interval.low, interval.high, "Wilson")


def test_student_t() -> None:
    interval = mean([1.0, 2.0, 3.0, 6.0])
    expected = scipy_stats.t.interval(0.95, 3, 3.0, scipy_stats.sem([1, 2, 3, 6]))
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert interval.p(1.0) == pytest.approx(scipy_stats.ttest_1samp([1, 2, 3, 6], 1.0)[1])
    assert mean([2.0]).method == "none"
    assert mean([2.0]).p() is None


def test_items_that_share_an_instance_count_for_less() -> None:
    """Every item twice: the error of the mean is that of the single items, not smaller."""
    once = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    groups = [str(i // 2) for i in range(16)]
    twice, alone = of_items(np.repeat(once, 2), groups=groups), mean(once)
    assert (twice.low, twice.high) == pytest.approx((alone.low, alone.high))
    assert twice.method == "Student t, clustered by 8 instances"
    assert of_items(np.repeat(once, 2)).high < twice.high
    sure = of_items([1.0] * 16, "share", groups)
    assert (sure.high, sure.low) == pytest.approx((1, proportion(8, 8).low)), "eight instances, not sixteen items"
    first, second = np.array([0.0, 0, 1, 1, 0, 0]), np.array([1.0, 1, 1, 1, 0, 0])
    assert (paired(first, second, list("aabbcc")).p() or 0) > (paired(np.tile(first, 2), np.tile(second, 2)).p() or 0)


def test_items_without_a_value_have_no_influence() -> None:
    with_gaps, without = of_items([1.0, None, 3.0, None, 8.0] * 40), of_items([1.0, 3.0, 8.0] * 40)
    assert with_gaps.value == pytest.approx(without.value)
    assert with_gaps.high - with_gaps.low == pytest.approx(without.high - without.low, rel=0.02)
    assert with_gaps.n == without.n == 120
    assert units_of([None, None], names(2)) is None


def test_medians_lie_between_order_statistics() -> None:
    interval = median([5, 1, 2, 3, 4, 10, 9, 8, 7, 6])
    assert (interval.value, interval.low, interval.high) == (5.5, 2, 9)  # ranks 2 and 9 of 10
    assert interval.method == "order statistics, 97.9%"
    assert interval.level == pytest.approx(1 - 2 * 11 / 1024)


@pytest.mark.parametrize("n", range(1, 40))
def test_a_median_has_an_interval_of_95_percent_or_none(n: int) -> None:
    """The range of 2 values covers the median at 50 %, that of 3 at 75 %, that of 5 at 93.75 %."""
    found = median(list(range(n)))
    assert found.known() == (n >= 6)
    assert found.level >= 0.95
    assert found.known() or found.low == found.value == found.high


# A 95 % interval covers what it should in 95 % of cases, at the sizes that reports use.
SIMULATED = {
    "one pass over a shuffle, 2,000 items": (lambda rng: proportion(rng.binomial(2000, 0.0154), 2000), 0.0154),
    "two holes a pass, 2,000 items": (lambda rng: proportion(rng.binomial(2000, 0.3125), 2000), 0.3125),
    "nearly always right, 2,000 items": (lambda rng: proportion(rng.binomial(2000, 0.98), 2000), 0.98),
    "three seeds": (lambda rng: mean(rng.normal(0.3125, 0.01, 3).tolist()), 0.3125),
    "nats of 200 texts": (lambda rng: of_items(rng.gamma(2.0, 0.5, 200)), 1.0),
    "two paradigms, 2,000 items": (lambda rng: paired(*shared_luck(rng, 2000)), 0.1),
    "questions, two a story, 1,000 stories": (lambda rng: of_items(*two_a_story(rng, 1000)), 0.7),
    "a ratio of sums, 1,000 texts": (lambda rng: of_items(jackknifed(counts(rng, 1000), ratio)), 0.4),
    "a ratio of sums, linearised": (lambda rng: of_items(linearised(*zip(*counts(rng, 300), strict=True))), 0.4),
    "ten repeats of a timing": (lambda rng: median(rng.exponential(size=10).tolist()), float(np.log(2))),
}
LEVELS = dict.fromkeys(SIMULATED, 0.95) | {"ten repeats of a timing": 0.979}
COVERED = [pytest.param(name, marks=[pytest.mark.slow] * ("1,000 texts" in name)) for name in SIMULATED]


def shared_luck(rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two paradigms' right and wrong answers on the same items, of which some are hard for both."""
    ease = rng.uniform(0, 1, n)
    first, second = (np.where(rng.uniform(0, 1, n) < p, ease > 0.2, ease > 0.7) * 1.0 for p in (0.5, 0.7))
    return first, second


def two_a_story(rng: Rng, n: int) -> tuple[np.ndarray, Scale, list[str]]:
    """Right answers to two questions about the same story, nearly always both or none."""
    ease, luck = rng.uniform(0, 1, n), rng.uniform(0, 1, (2, n))
    right = np.where(luck < 0.9, ease < 0.7, rng.uniform(0, 1, (2, n)) < 0.7)
    return right.T.ravel().astype(float), "share", [f"{story}" for story in range(n) for _ in range(2)]


def counts(rng: Rng, n: int) -> list[list[float]]:
    lengths = rng.integers(5, 20, n)
    return np.stack([rng.binomial(lengths, 0.4), lengths], axis=1).astype(float).tolist()


def ratio(sums) -> float:
    return sums[0] / sums[1]


@pytest.mark.parametrize("name", COVERED)
def test_intervals_cover_as_often_as_they_say(name: str) -> None:
    rng, level = np.random.default_rng(0), LEVELS[name]
    simulate, truth = SIMULATED[name]
    intervals = [simulate(rng) for _ in range(2000)]
    covered = sum(interval.low <= truth <= interval.high for interval in intervals) / 2000
    assert level - 0.02 <= covered <= level + 0.02


def planted(rng: Rng, trainings: int, items: int, training: float, item: float, scale: Scale) -> np.ndarray:
    """(trainings, items): effects of either and of both, in a value, or in the log-odds of a right answer."""
    effects = rng.normal(0, training, (trainings, 1)) + rng.normal(0, item, (1, items))
    if scale == "plain":
        return effects + rng.normal(0, 1, (trainings, items))
    return (rng.uniform(size=(trainings, items)) < 1 / (1 + np.exp(-1 - effects))).astype(float)


def expected_share(training: float, item: float) -> float:
    """The mean of the logistic function of 1 + a normal variable, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float((weights / (1 + np.exp(-1 - np.hypot(training, item) * nodes))).sum() / weights.sum())


@pytest.mark.parametrize("trainings", [3, 5, 10])
@pytest.mark.parametrize(("training", "item"), [(0.0, 1.0), (0.1, 1.0), (0.5, 1.0), (0.0, 0.0)])
@pytest.mark.parametrize("scale", ["plain", pytest.param("share", marks=pytest.mark.slow)])
def test_intervals_over_trainings_and_items_cover_planted_variances(
    trainings: int, training: float, item: float, scale: Scale
) -> None:
    """2,000 experiments with known variances: 93 to 97 %, or a little more where trainings do not differ at all."""
    rng, covered = np.random.default_rng(0), 0
    truth = 0.0 if scale == "plain" else expected_share(training, item)
    for _ in range(2000):
        table = planted(rng, trainings, 200, training, item, scale)
        found = estimate([Sample(tuple(names(200)), row, 200, scale == "share") for row in table], scale)
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / 2000 <= 0.985


def test_more_trainings_and_more_items_reduce_their_own_error() -> None:
    rng = np.random.default_rng(0)

    def errors(trainings: int, items: int) -> tuple[float, float]:
        tables = [planted(rng, trainings, items, 0.3, 1.0, "plain") for _ in range(50)]
        found = [estimate([Sample(tuple(names(items)), row, items) for row in table]) for table in tables]
        return tuple(float(np.mean([getattr(one, part) for one in found])) for part in ("training", "sampling"))  # type: ignore[return-value]

    training, sampling = errors(10, 200)
    assert training == pytest.approx(0.3 / 10**0.5, rel=0.15)
    assert sampling == pytest.approx((1 / 200 + 1 / 2000) ** 0.5, rel=0.15)
    assert errors(10, 800)[1] == pytest.approx(sampling / 2, rel=0.15)
    assert errors(40, 200)[0] == pytest.approx(training / 2, rel=0.15)


def test_trainings_on_different_items_are_compared_by_their_means_alone() -> None:
    one, other = of_items([0.0, 1.0, 1.0]), estimate([Sample(("x", "y", "z"), np.array([1.0, 1.0, 1.0]), 3)])
    assert over_trainings([one, other]).method == "Student t"
    assert over_trainings([one, of_items([1.0, 1.0, 1.0])]).method == "Student t, 2 trainings"


@given(st.lists(st.integers(0, 1), min_size=2, max_size=60), st.floats(0.01, 0.99))
def test_shares_stay_inside_0_and_1_and_p_is_dual_to_the_interval(values: list[int], number: float) -> None:
    found = of_items(values, "share")
    assert 0 <= found.low <= found.value <= found.high <= 1
    p = found.p(number)
    assert p is not None
    if min(abs(number - found.low), abs(number - found.high)) > 1e-9:
        assert (p < 0.05) == (not found.low <= number <= found.high)


@given(st.integers(2, 4), st.integers(3, 9), st.integers(0, 10**6), st.floats(-3, 3))
def test_p_is_dual_to_the_interval_over_trainings(trainings: int, items: int, seed: int, number: float) -> None:
    table = np.random.default_rng(seed).normal(0, 1, (trainings, items))
    found = estimate([Sample(tuple(names(items)), row, items) for row in table])
    p = found.p(number)
    assert p is not None
    if min(abs(number - found.low), abs(number - found.high)) > 1e-6:
        assert (p < 0.05) == (not found.low <= number <= found.high)


@given(st.integers(2, 3), st.integers(2, 6), st.integers(0, 10**6))
def test_shares_over_trainings_stay_inside_0_and_1(trainings: int, items: int, seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 2, (trainings, items)).astype(float)
    found = estimate([Sample(tuple(names(items)), row, items, True) for row in table], "share")
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_paired_differences_are_surer_than_the_difference_of_two() -> None:
    first, second = shared_luck(np.random.default_rng(0), 2000)
    together, apart = paired(first, second), (mean(first.tolist()), mean(second.tolist()))
    assert together.value == pytest.approx(apart[1].value - apart[0].value)
    assert together.high - together.low < sum((x.high - x.low) ** 2 for x in apart) ** 0.5
    assert together.method == "paired Student t"


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (8, 1), (30, 12), (200, 150)])
def test_few_items_that_differ_are_judged_about_as_mcnemar_does(gained: int, lost: int) -> None:
    """Exact binomial test of the discordant items (McNemar, 1947)."""
    differences = np.array([1.0] * gained + [-1.0] * lost + [0.0] * (2000 - gained - lost))
    exact = 1.0 if gained + lost == 0 else scipy_stats.binomtest(gained, gained + lost).pvalue
    p = paired(np.zeros(2000), differences).p()
    assert p is not None
    assert exact / 2 < p <= 1.0
    assert p == pytest.approx(exact, abs=0.03)


def test_a_difference_at_every_item_is_not_p_0() -> None:
    everywhere = paired([0.0] * 40, [1.0] * 40)
    assert everywhere.low < 1 == everywhere.high
    assert 0 < (everywhere.p() or 0) < 1e-6
    same = mean([2.0, 2.0, 2.0])
    assert same.p(1.0) == 2 * 0.5**3, "the sign test"


def test_small_p_values_are_not_cut_off_by_the_number_of_resamples() -> None:
    first, second = np.zeros(1000), np.random.default_rng(0).normal(1, 1, 1000)
    assert (paired(first, second).p() or 1) < 1e-100


@pytest.mark.parametrize("shift", [0.0, 0.006, 0.012, 0.02])
def test_pooled_metrics_are_tested_as_by_approximate_randomisation(shift: float) -> None:
    """Swapping the two systems' statistics at random items 20,000 times (Noreen, 1989) gives about the same p."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(5, 20, 500)
    first, second = (np.stack([rng.binomial(lengths, p), lengths], 1).astype(float) for p in (0.4, 0.4 + shift))
    found = paired(jackknifed(first.tolist(), ratio), jackknifed(second.tolist(), ratio))
    swaps = rng.integers(0, 2, (20_000, 500))
    one, other = first.sum(0) + swaps @ (second - first), second.sum(0) + swaps @ (first - second)
    differences = np.abs(other[:, 0] / other[:, 1] - one[:, 0] / one[:, 1])
    p = (1 + (differences >= abs(found.value) - 1e-12).sum()) / 20_001
    assert found.p() == pytest.approx(p, abs=0.02)


def test_jackknife_of_a_mean_is_its_values() -> None:
    rows = [[float(i), 1.0] for i in (3, 1, 4, 1, 5)]
    assert jackknifed(rows, ratio) == pytest.approx([3, 1, 4, 1, 5])
    assert jackknifed(counts(np.random.default_rng(0), 30), ratio).mean() == pytest.approx(
        ratio(np.sum(counts(np.random.default_rng(0), 30), 0))
    )


def test_ratios_are_averaged_in_logarithms() -> None:
    found = geometric_ratio([2.0, 0.5])
    assert found.value == pytest.approx(1.0)
    up, down = geometric_ratio([2.0, 3.0, 4.0]), geometric_ratio([0.5, 1 / 3, 0.25])
    assert (up.low, up.high) == pytest.approx((1 / down.high, 1 / down.low))
    assert up.p(1) == pytest.approx(down.p(1))


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_a_step_down_bonferroni(values: list[float]) -> None:
    """The definition: the largest of (n - rank) p over all p-values that are as small, at most 1."""
    n, ranked = len(values), sorted(range(len(values)), key=lambda i: values[i])
    for place, i in enumerate(ranked):
        wanted = max((n - rank) * values[ranked[rank]] for rank in range(place + 1))
        assert holm(values)[i] == pytest.approx(min(1.0, wanted))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [5, 20, 60])
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_the_family_wise_error_is_kept_and_power_does_not_vanish(rows: int, share: float) -> None:
    """Equal configurations on common items, all pairs of a column: an error in at most 5 % of 400 tables.

    A configuration that is better on a tenth of the items is found in most tables, whatever their size.
    """
    rng, wrong, found = np.random.default_rng(rows), 0, 0
    for _ in range(400):
        right = (rng.uniform(size=(rows + 1, 500)) < share).astype(float)
        right[-1] = np.where(rng.uniform(size=500) < 0.1, 1.0, right[0])
        p = {(a, b): paired(right[a], right[b]).p() or 0 for a, b in combinations(range(rows + 1), 2)}
        equal = [value for (_, b), value in p.items() if b < rows]
        wrong += min(holm(equal)) < 0.05
        found += dict(zip(p, holm(list(p.values())), strict=True))[0, rows] < 0.05
    assert wrong / 400 <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5
    assert found / 400 > 0.5


def test_intervals_narrow_with_more_items() -> None:
    rng = np.random.default_rng(0)
    widths = [
        np.mean([x.high - x.low for x in [of_items(rng.normal(size=n)) for _ in range(40)]]) for n in (50, 200, 800)
    ]
    assert all(b == pytest.approx(a / 2, rel=0.1) for a, b in pairwise(widths))
