"""Interval estimates, each with the name of its method: every number in a report states its uncertainty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import stdtr, stdtrit
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A value, its 95 % interval, the method of the interval, and the number of observations."""

    value: float
    low: float
    high: float
    method: str
    n: int

    def known(self) -> bool:
        """Whether there is an interval beside the value."""
        return self.method != "none"


@lru_cache(maxsize=4096)
def proportion(successes: int, n: int) -> Interval:
    """Share of successes with Wilson's interval (Wilson, 1927), for items of one checkpoint."""
    low, high = stats.binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Interval(successes / n, low, high, "Wilson", n)


def mean(values: Sequence[float]) -> Interval:
    """Mean with Student's t interval; the value alone for a single observation."""
    centre, n = float(np.mean(values)), len(values)
    if n < 2:
        return Interval(centre, centre, centre, "none", n)
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2) * np.std(values, ddof=1) / n**0.5)
    return Interval(centre, centre - half, centre + half, "Student t", n)


def clustered(values: Sequence[float], groups: Sequence[str]) -> Interval:
    """Mean over items of which some share an instance: t interval, errors clustered (Liang and Zeger, 1986).

    Where all items are 0 or all are 1, the variance cannot be estimated: Wilson's interval over the instances.
    """
    centre, instances = float(np.mean(values)), len(set(groups))
    if len(set(values)) == 1 and values[0] in (0, 1):
        return proportion(round(centre * instances), instances)
    if instances < 2:
        return Interval(centre, centre, centre, "none", len(values))
    low, high = cluster_fit(values, groups).conf_int(1 - LEVEL)[0]
    return Interval(centre, float(low), float(high), f"t, clustered by {instances:,} instances", len(values))


def median(values: Sequence[float]) -> Interval:
    """Median with the distribution-free interval between two order statistics, for raw timings.

    The level of such an interval cannot be chosen freely: the method names it, and it is at least 95 % except for the
    range of very few values.
    """
    ordered, n = sorted(values), len(values)
    below, level = outermost(n)
    method = f"order statistics, {level:.1%}" if level >= LEVEL else "range"
    return Interval(float(np.median(ordered)), ordered[below], ordered[n - 1 - below], method, n)


@lru_cache(maxsize=4096)
def outermost(n: int) -> tuple[int, float]:
    """How many of n ordered values lie outside a median's interval at each end, and the interval's level."""
    below = max(0, int(stats.binom.ppf((1 - LEVEL) / 2, n, 0.5)) - 1)
    return below, float(1 - 2 * stats.binom.cdf(below, n, 0.5))


def pooled(rows: Sequence[Sequence[float]], value: Callable[[Sequence[float]], float | None]) -> Interval:
    """A metric of summed item statistics with a seeded percentile bootstrap over items (Koehn, 2004)."""
    return bootstrap(rows, lambda sums: known(value(sums)))[0]


def known(value: float | None) -> float:
    """The value; raises ValueError where there is none, since sums of items with statistics have one."""
    if value is None:
        raise ValueError("the metric has no value for a sum: leave out items without statistics")
    return value


def pooled_curve(rows: Sequence[Sequence[float]], values: Callable[[np.ndarray], np.ndarray]) -> list[Interval]:
    """As `pooled`, for several metrics at once: `values` maps sums, (samples, statistics), to (samples, metrics)."""
    table = np.asarray(rows, dtype=float)
    whole, drawn = values(table.sum(0)[None])[0], values(resampled(table))
    lows, highs = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    ends = zip(whole.tolist(), lows.tolist(), highs.tolist(), strict=True)
    return [Interval(value, low, high, "percentile bootstrap", len(table)) for value, low, high in ends]


def bootstrap(
    rows: Sequence[Sequence[float]], value: Callable[[Sequence[float]], float]
) -> tuple[Interval, Sequence[float]]:
    """The percentile interval, and the resampled values whose quantiles are its ends."""
    table = np.asarray(rows, dtype=float)
    drawn = [value(sums) for sums in resampled(table)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value(table.sum(0)), float(low), float(high), "percentile bootstrap", len(table)), drawn


def resampled(table: np.ndarray) -> np.ndarray:
    """Sums over items sampled with replacement, one sample per row; seeded, so that every call returns the same."""
    rng = np.random.default_rng(0)
    return rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=RESAMPLES) @ table


@dataclass(frozen=True)
class Contrast:
    """A paired difference, second minus first, of two configurations, and the p-value of no difference."""

    difference: Interval
    p: float


def paired(first: Sequence[float], second: Sequence[float], groups: Sequence[str] = ()) -> Contrast:
    """Over identical items: Student's t on the differences; McNemar's p-value where all values are 0 or 1.

    groups: the instance of every item, where some share one; interval and p-value are then those of a clustered t.
    """
    if groups:
        differences = [b - a for a, b in zip(first, second, strict=True)]
        interval = clustered(differences, groups)
        return Contrast(replace(interval, method=f"paired {interval.method}"), clustered_p(differences, groups))
    found = paired_means(first, second)
    return replace(found, p=mcnemar(first, second)) if set(first) | set(second) <= {0, 1} else found


def paired_means(first: Sequence[float], second: Sequence[float]) -> Contrast:
    """Over common seeds or other paired values: Student's t on the differences, also where all values are 0 or 1."""
    differences = [b - a for a, b in zip(first, second, strict=True)]
    interval = mean(differences)
    return Contrast(replace(interval, method=f"paired {interval.method}"), t_test(differences))


def t_test(differences: Sequence[float]) -> float:
    """Two-sided p-value of Student's t for a mean of 0: scipy's ttest_1samp without its 0.3 ms of input checks."""
    if len(set(differences)) == 1:
        return float(differences[0] == 0)
    n = len(differences)
    t = np.mean(differences) / (np.std(differences, ddof=1) / n**0.5)
    return float(2 * stdtr(n - 1, -abs(t)))


def clustered_p(differences: Sequence[float], groups: Sequence[str]) -> float:
    """Two-sided p-value for a mean of 0, errors clustered by instance."""
    if len(set(differences)) == 1:
        return float(differences[0] == 0)
    return float(cluster_fit(differences, groups).pvalues[0])


def cluster_fit(values: Sequence[float], groups: Sequence[str]) -> Any:
    """The mean as a regression on a constant, with clustered errors."""
    codes, design = np.unique(groups, return_inverse=True)[1], OLS(np.asarray(values), np.ones(len(values)))
    return design.fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)


def paired_pooled(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    value: Callable[[Sequence[float]], float | None],
) -> Contrast:
    """As `paired`, for a metric of summed item statistics: paired bootstrap over items (Koehn, 2004)."""
    both, width = [[*a, *b] for a, b in zip(first, second, strict=True)], len(first[0])
    interval, drawn = bootstrap(both, lambda sums: known(value(sums[width:])) - known(value(sums[:width])))
    beyond = min(sum(d <= 0 for d in drawn), sum(d >= 0 for d in drawn))
    return Contrast(replace(interval, method="paired bootstrap"), min(1.0, 2 * max(beyond, 1) / len(drawn)))


def mcnemar(first: Sequence[float], second: Sequence[float]) -> float:
    """Exact p-value of equal shares of 1 on identical items, from the discordant items (McNemar, 1947)."""
    gained = sum(b > a for a, b in zip(first, second, strict=True))
    lost = sum(b < a for a, b in zip(first, second, strict=True))
    return 1.0 if gained + lost == 0 else float(stats.binomtest(gained, gained + lost).pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """P-values adjusted for multiple comparisons, step-down (Holm, 1979)."""
    return multipletests(values, method="holm")[1].tolist() if len(values) else []  # pyright: ignore
