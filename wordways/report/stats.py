"""Intervals, each with its name: every number in a report says how sure it is and by what method."""

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
    """A value, its 95 % interval, the method that made it and how many things it was made from."""

    value: float
    low: float
    high: float
    method: str
    n: int

    def known(self) -> bool:
        """Is there an interval, or the value alone?"""
        return self.method != "none"


@lru_cache(maxsize=4096)
def proportion(successes: int, n: int) -> Interval:
    """Share of successes, Wilson's interval (1927): for items of one checkpoint."""
    low, high = stats.binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Interval(successes / n, low, high, "Wilson", n)


def mean(values: Sequence[float]) -> Interval:
    """Mean, Student's t interval; without spread to judge from, the value alone."""
    centre, n = float(np.mean(values)), len(values)
    if n < 2:
        return Interval(centre, centre, centre, "none", n)
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2) * np.std(values, ddof=1) / n**0.5)
    return Interval(centre, centre - half, centre + half, "Student t", n)


def clustered(values: Sequence[float], groups: Sequence[str]) -> Interval:
    """Mean over items of which some share an instance: t interval, errors clustered by instance (Liang, Zeger, 1986).

    Where every item has the same value there is no spread to judge from: Wilson's interval over the instances.
    """
    centre, instances = float(np.mean(values)), len(set(groups))
    if len(set(values)) == 1 and values[0] in (0, 1):
        return proportion(round(centre * instances), instances)
    if instances < 2:
        return Interval(centre, centre, centre, "none", len(values))
    low, high = cluster_fit(values, groups).conf_int(1 - LEVEL)[0]
    return Interval(centre, float(low), float(high), f"t, clustered by {instances:,} instances", len(values))


def median(values: Sequence[float]) -> Interval:
    """Median, the distribution-free interval between two order statistics: for raw timings.

    Few values leave no choice of level: the method names the one that the interval has, at least the nominal.
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
    """A metric of summed item statistics, percentile bootstrap over items (Koehn, 2004), seeded."""
    return bootstrap(rows, lambda sums: known(value(sums)))[0]


def known(value: float | None) -> float:
    """Raises ValueError where there is none: sums that each have a value have one together."""
    if value is None:
        raise ValueError("no value: items that have none are to be left out")
    return value


def pooled_curve(rows: Sequence[Sequence[float]], values: Callable[[np.ndarray], np.ndarray]) -> list[Interval]:
    """The same of several metrics at once: `values` takes sums of item statistics, a row a sample, to a row of them."""
    table = np.asarray(rows, dtype=float)
    whole, drawn = values(table.sum(0)[None])[0], values(resampled(table))
    lows, highs = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    ends = zip(whole.tolist(), lows.tolist(), highs.tolist(), strict=True)
    return [Interval(value, low, high, "percentile bootstrap", len(table)) for value, low, high in ends]


def bootstrap(
    rows: Sequence[Sequence[float]], value: Callable[[Sequence[float]], float]
) -> tuple[Interval, Sequence[float]]:
    """The interval and the resampled values it was read from."""
    table = np.asarray(rows, dtype=float)
    drawn = [value(sums) for sums in resampled(table)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value(table.sum(0)), float(low), float(high), "percentile bootstrap", len(table)), drawn


def resampled(table: np.ndarray) -> np.ndarray:
    """Sums over items drawn with replacement, a row a sample; always the same draws."""
    rng = np.random.default_rng(0)
    return rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=RESAMPLES) @ table


@dataclass(frozen=True)
class Contrast:
    """A difference, second minus first, of two rows measured on identical items, and the p-value of no difference."""

    difference: Interval
    p: float


def paired(first: Sequence[float], second: Sequence[float], groups: Sequence[str] = ()) -> Contrast:
    """Over items that both have: Student's t on the differences; for shares of 1 McNemar's p-value.

    groups: the instance of every item, where some share one; then t, clustered, for both.
    """
    if groups:
        differences = [b - a for a, b in zip(first, second, strict=True)]
        interval = clustered(differences, groups)
        return Contrast(replace(interval, method=f"paired {interval.method}"), clustered_p(differences, groups))
    found = paired_means(first, second)
    return replace(found, p=mcnemar(first, second)) if set(first) | set(second) <= {0, 1} else found


def paired_means(first: Sequence[float], second: Sequence[float]) -> Contrast:
    """Over seeds that both have, or whatever has a mean: Student's t on the differences, though every one be 0 or 1."""
    differences = [b - a for a, b in zip(first, second, strict=True)]
    interval = mean(differences)
    return Contrast(replace(interval, method=f"paired {interval.method}"), t_test(differences))


def t_test(differences: Sequence[float]) -> float:
    """Two-sided p-value of a mean of 0, Student's t: scipy's ttest_1samp without its 0.3 ms of checks."""
    if len(set(differences)) == 1:
        return float(differences[0] == 0)
    n = len(differences)
    t = np.mean(differences) / (np.std(differences, ddof=1) / n**0.5)
    return float(2 * stdtr(n - 1, -abs(t)))


def clustered_p(differences: Sequence[float], groups: Sequence[str]) -> float:
    """P-value of a mean of 0, errors clustered by instance."""
    if len(set(differences)) == 1:
        return float(differences[0] == 0)
    return float(cluster_fit(differences, groups).pvalues[0])


def cluster_fit(values: Sequence[float], groups: Sequence[str]) -> Any:
    """The mean as a regression on a constant, errors clustered."""
    codes, design = np.unique(groups, return_inverse=True)[1], OLS(np.asarray(values), np.ones(len(values)))
    return design.fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)


def paired_pooled(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    value: Callable[[Sequence[float]], float | None],
) -> Contrast:
    """The same of a metric of summed item statistics: both rows of an item are drawn together (Koehn, 2004)."""
    both, width = [[*a, *b] for a, b in zip(first, second, strict=True)], len(first[0])
    interval, drawn = bootstrap(both, lambda sums: known(value(sums[width:])) - known(value(sums[:width])))
    beyond = min(sum(d <= 0 for d in drawn), sum(d >= 0 for d in drawn))
    return Contrast(replace(interval, method="paired bootstrap"), min(1.0, 2 * max(beyond, 1) / len(drawn)))


def mcnemar(first: Sequence[float], second: Sequence[float]) -> float:
    """P-value of equal shares of 1 on identical items, exact, from the items that tell them apart (McNemar, 1947)."""
    gained = sum(b > a for a, b in zip(first, second, strict=True))
    lost = sum(b < a for a, b in zip(first, second, strict=True))
    return 1.0 if gained + lost == 0 else float(stats.binomtest(gained, gained + lost).pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """P-values adjusted for how many are looked at, step down (Holm, 1979)."""
    return multipletests(values, method="holm")[1].tolist() if len(values) else []  # pyright: ignore
