"""Intervals, each with its name: every number in a report says how sure it is and by what method."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

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


def proportion(successes: int, n: int) -> Interval:
    """Share of successes, Wilson's interval (1927): for items of one checkpoint."""
    low, high = stats.binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Interval(successes / n, low, high, "Wilson", n)


def mean(values: Sequence[float]) -> Interval:
    """Mean, Student's t interval; without spread to judge from, the value alone."""
    centre, n = float(np.mean(values)), len(values)
    if n < 2:
        return Interval(centre, centre, centre, "none", n)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) * np.std(values, ddof=1) / n**0.5)
    return Interval(centre, centre - half, centre + half, "Student t", n)


def median(values: Sequence[float]) -> Interval:
    """Median, the distribution-free interval between two order statistics: for raw timings."""
    ordered, n = sorted(values), len(values)
    below = int(stats.binom.ppf((1 - LEVEL) / 2, n, 0.5))
    method = "order statistics" if below > 0 else "range"
    below = max(0, below - 1)
    return Interval(float(np.median(ordered)), ordered[below], ordered[n - 1 - below], method, n)


def pooled(rows: Sequence[Sequence[float]], value: Callable[[Sequence[float]], float]) -> Interval:
    """A metric of summed item statistics, percentile bootstrap over items (Koehn, 2004), seeded."""
    table, rng = np.asarray(rows, dtype=float), np.random.default_rng(0)
    counts = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=RESAMPLES)
    drawn = [value(sums) for sums in counts @ table]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value(table.sum(0)), float(low), float(high), "percentile bootstrap", len(table))
