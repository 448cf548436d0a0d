"""Interval estimates and tests, each with the name of its method: every number in a report states its uncertainty.

Trainings (seeds) and items are crossed random factors: every training is measured on the same items. The variance of
the mean has a part with the few degrees of freedom of the trainings and a part with the many of the items; each has its
own quantile of Student's t (after Graybill and Wang, 1980). This keeps its coverage at three trainings, where a
hierarchical bootstrap does not. Metrics of a whole set enter by jackknife pseudo-values (Tukey, 1958), so that one
method gives every interval and every p-value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import exp, isclose, log, log10, sqrt
from typing import Any, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from wordways.medians import LEVEL, covered, outside

RESAMPLES = 1000
SMALLEST = 1e-30  # tail at which a p-value is not computed further
NO_LIMIT = 1e9  # degrees of freedom at which Student's t is the normal distribution

Scale = Literal["plain", "share", "log"]
"""Where an interval is symmetric: in the value, for a share in Wilson's way, or in a ratio's logarithm."""


@dataclass(frozen=True)
class Sample:
    """One number per independent unit (an item, or an instance that several items share), whose mean is an estimate.

    items: the number of items behind the units.  whole: whether every item is 0 or 1, or a difference of such.
    """

    units: tuple[str, ...]
    values: np.ndarray
    items: int
    whole: bool = False


Errors = tuple[tuple[float, float], ...]
"""Independent parts of a standard error, each with its degrees of freedom."""


@dataclass(frozen=True)
class Interval:
    """A value, its interval, the method of the interval, and the number of observations.

    level: the probability with which the interval covers, at least 95 %.  errors: of the value, on the interval's
    scale; empty where they are unknown.  training, sampling: the standard errors that more trainings, and that more
    items, would reduce; None where they are unknown.  sample: the units of a single training, for means over trainings.
    """

    value: float
    low: float
    high: float
    method: str
    n: int
    level: float = LEVEL
    errors: Errors = ()
    scale: Scale = "plain"
    training: float | None = None
    sampling: float | None = None
    trainings: int = 1
    sample: Sample | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for a sample of another number, which a mean over trainings would take for this one."""
        if self.sample is not None and not isclose(self.sample.values.mean(), self.value, rel_tol=1e-6, abs_tol=1e-9):
            raise ValueError(f"the value {self.value} is not the mean of its sample, {self.sample.values.mean()}")

    def known(self) -> bool:
        """Whether there is an interval beside the value."""
        return self.method != "none"

    def printed(self) -> "Interval":
        """As tables and figures show it: alone where the spread was estimated from two values, one degree of freedom.

        Such an interval reaches over 12.7 standard errors that are themselves hardly known: it says that a third
        training is missing, and nothing else.
        """
        sure = all(df > 1 for se, df in self.errors if se)
        return self if sure else replace(self, low=self.value, high=self.value, method="none")

    def p(self, number: float = 0.0) -> float | None:
        """Two-sided p-value of the hypothesis that the true value is `number`, dual to the interval; None without."""
        if not self.errors or not self.known():
            return None
        if self.scale == "log":
            return 0.0 if number <= 0 else p_value(log(self.value / number), self.errors, self.n)
        if self.scale == "plain" or not 0 < number < 1:
            return p_value(self.value - number, self.errors, self.n)
        if 0 < self.value < 1:
            wider = sqrt(number * (1 - number) / (self.value * (1 - self.value)))
            return p_value(self.value - number, tuple((se * wider, df) for se, df in self.errors), self.n)
        return p_value(self.value - number, ((sqrt(number * (1 - number) / self.n), NO_LIMIT),), self.n)


def half_width(errors: Errors, tail: float = (1 - LEVEL) / 2) -> float:
    """Half of an interval that leaves `tail` at each side."""
    return sqrt(sum((quantile(df, tail) * se) ** 2 for se, df in errors))


def p_value(distance: float, errors: Errors, n: int) -> float:
    """Twice the tail at which an interval just reaches over this distance."""
    distance = abs(distance)
    if distance == 0:
        return 1.0
    if not any(se for se, _ in errors):
        return min(1.0, 2 * 0.5**n)  # all differences are the same: the sign test
    if len(errors) == 1:
        return float(2 * stdtr(errors[0][1], -distance / errors[0][0]))
    if half_width(errors, SMALLEST) <= distance:
        return 2 * SMALLEST
    found: Any = brentq(lambda exponent: half_width(errors, 10**exponent) - distance, log10(SMALLEST), log10(0.5))
    return float(2 * 10.0**found)


def units_of(values: Sequence[float | None], names: Sequence[str], groups: Sequence[str] = ()) -> Sample | None:
    """The sample of a mean over the items with a value; None without any.

    An item without a value has no influence on the mean, and the mean itself as its pseudo-value (domain estimation).
    groups: the instance of every item, where some share one; errors are then clustered by instance (Liang and Zeger,
    1986).
    """
    known = np.array([value is not None for value in values])
    if not known.any():
        return None
    plain = np.array([value for value in values if value is not None], dtype=float)
    found = np.full(len(known), centre := float(plain.mean()))
    found[known] += (plain - centre) * (len(known) / len(plain))
    whole = bool(np.isin(plain, (-1, 0, 1)).all())
    units = tuple(names)
    if groups:
        units, codes = np.unique(list(groups), return_inverse=True)
        sums = np.bincount(codes, weights=found - centre)
        found, units = centre + sums * len(units) / len(known), tuple(units.tolist())
    return Sample(units, found, int(known.sum()), whole)


def jackknifed(rows: Sequence[Sequence[float]], value: Callable[[Sequence[float]], float | None]) -> np.ndarray:
    """Pseudo-values of a function of sums over items: n f(all) - (n - 1) f(all but one), shifted to the mean f(all)."""
    table = np.asarray(rows, dtype=float)
    whole, total = known_value(value(table.sum(0).tolist())), table.sum(0)
    left_out = [value(sums) for sums in (total - table).tolist()]
    without = np.array([whole if one is None else one for one in left_out])
    return whole + (len(table) - 1) * (without.mean() - without)


def known_value(value: float | None) -> float:
    """The value; raises ValueError where there is none, since sums of items with statistics have one."""
    if value is None:
        raise ValueError("the metric has no value for a sum: leave out items without statistics")
    return value


@dataclass(frozen=True)
class Spread:
    """The errors of a mean over trainings and items; the standard errors that more of either would reduce."""

    errors: Errors
    training: float | None
    sampling: float


def crossed(table_SI: np.ndarray) -> Spread:
    """The spread of the mean of (trainings, units), both random; of one training, that of its units.

    Mean squares: T of trainings, U of units, E of the rest. The variance is (T + (U - E)) / (trainings x units).
    """
    trainings, units = table_SI.shape
    if trainings == 1:
        se = float(table_SI[0].std(ddof=1) / sqrt(units))
        return Spread(((se, units - 1),), None, se)
    by_training, by_unit = table_SI.mean(1), table_SI.mean(0)
    rest = table_SI - by_training[:, None] - by_unit + table_SI.mean()
    size = trainings * units
    of_trainings, of_units = float(units * by_training.var(ddof=1)), float(trainings * by_unit.var(ddof=1))
    of_rest = float((rest**2).sum() / ((trainings - 1) * (units - 1)))
    errors = (sqrt(of_trainings / size), trainings - 1), (sqrt(max(0.0, of_units - of_rest) / size), units - 1)
    return Spread(errors, sqrt(max(0.0, of_trainings - of_rest) / size), sqrt(of_units / size))


def estimate(samples: Sequence[Sample], scale: Scale = "plain", paired: bool = False) -> Interval:
    """The mean over trainings of the same units, with the interval of the crossed model.

    paired: the values are differences; of right and wrong items, one more that differs is assumed (Agresti and Min,
    2005), without which a few items that differ, or none, would seem certain.
    """
    table_SI = np.stack([sample.values for sample in samples])
    trainings, units = table_SI.shape
    value, items, first = float(table_SI.mean()), samples[0].items, samples[0]
    whole, kept = all(sample.whole for sample in samples), first if trainings == 1 else None
    if units < 2:
        return mean(table_SI[:, 0].tolist()) if trainings > 1 else without_interval(value, items, first)
    spread = crossed(table_SI)
    errors, named = spread.errors, "Student t"
    if scale == "share" and not paired and 0 <= value <= 1:
        named = "Wilson, effective n"
        if trainings == 1 and whole and units == items:  # independent items of one training: Wilson's own interval
            named = "Wilson"
            errors = ((sqrt(value * (1 - value) / units), NO_LIMIT),)
        low, high = wilson(value, half_width(errors), units)
    else:
        errors = (*errors, (1 / units, units - 1)) if paired and whole else errors
        low, high = value - half_width(errors), value + half_width(errors)
        low, high = (max(low, -1.0), min(high, 1.0)) if scale == "share" else (low, high)
    named = "paired " * paired + named
    named += f", clustered by {units:,} instances" if units < items else ""
    named += f", {trainings} trainings" if trainings > 1 else ""
    kind: Scale = "plain" if paired else scale
    return Interval(
        value, low, high, named, items, LEVEL, errors, kind, spread.training, spread.sampling, trainings, kept
    )  # fmt: skip


def over_trainings(found: Sequence[Interval]) -> Interval:
    """The mean over trainings: of the crossed model where their units are the same, else of their values alone."""
    samples = [interval.sample for interval in found if interval.sample is not None]
    if len(samples) == len(found) and len({sample.units for sample in samples}) == 1:
        return estimate(samples, found[0].scale)
    return mean([interval.value for interval in found])


def without_interval(value: float, n: int, sample: Sample | None = None) -> Interval:
    """A value without an interval."""
    return Interval(value, value, value, "none", n, sample=sample)


def quantile(df: float, tail: float) -> float:
    return float(-stdtrit(df, tail))


def wilson(value: float, half: float, units: int) -> tuple[float, float]:
    """The ends of Wilson's interval (1927) of a share whose plain interval would reach `half` to each side.

    For n independent items it is Wilson's own; otherwise that of the number of items that would give the same error
    (Korn and Graubard, 1998), and of the number of units where all are alike.
    """
    steps = value * (1 - value) / half**2 if half > 0 and 0 < value < 1 else units / half_width(((1, NO_LIMIT),)) ** 2
    centre, reach = value + 1 / (2 * steps), sqrt(value * (1 - value) / steps + 1 / (4 * steps**2))
    low, high = (centre - reach) / (1 + 1 / steps), (centre + reach) / (1 + 1 / steps)
    return max(0.0, low) if value > 0 else 0.0, min(1.0, high) if value < 1 else 1.0


def mean(values: Sequence[float]) -> Interval:
    """Mean with Student's t interval; the value alone for a single observation."""
    centre, n = float(np.mean(values)), len(values)
    if n < 2:
        return without_interval(centre, n)
    errors = ((float(np.std(values, ddof=1) / n**0.5), n - 1),)
    half = half_width(errors)
    return Interval(centre, centre - half, centre + half, "Student t", n, LEVEL, errors)


def linearised(parts: Sequence[float], wholes: Sequence[float]) -> np.ndarray:
    """Pseudo-values, by item, of the sum of parts / the sum of wholes: their mean is the ratio."""
    above, below = np.asarray(parts, dtype=float), np.asarray(wholes, dtype=float)
    ratio = above.sum() / below.sum()
    return ratio + (above - ratio * below) / below.mean()


def geometric_ratio(ratios: Sequence[float]) -> Interval:
    """The geometric mean of paired ratios, with Student's t interval of their logarithms."""
    found = mean([log(one) for one in ratios])
    value, low, high = (exp(end) for end in (found.value, found.low, found.high))
    named = "none" if found.method == "none" else "paired t of logarithms"
    return Interval(value, low, high, named, found.n, LEVEL, found.errors, "log")


def median(values: Sequence[float]) -> Interval:
    """Median with the distribution-free interval between two order statistics, for raw timings.

    The level of such an interval cannot be chosen freely: it is the least possible of at least 95 %. Fewer than six
    values give no interval, since even their range covers less.
    """
    ordered, n = sorted(values), len(values)
    centre, below = float(np.median(ordered)), outside(n)
    if below is None:
        return without_interval(centre, n)
    level = covered(n, below)
    return Interval(centre, ordered[below], ordered[n - 1 - below], f"order statistics, {level:.1%}", n, level)


def pooled_curve(rows: Sequence[Sequence[float]], values: Callable[[np.ndarray], np.ndarray]) -> list[Interval]:
    """Several metrics of summed item statistics with a seeded percentile bootstrap over items (Koehn, 2004).

    values: maps sums, (samples, statistics), to (samples, metrics).
    """
    table, rng = np.asarray(rows, dtype=float), np.random.default_rng(0)
    draws = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=RESAMPLES)
    whole, drawn = values(table.sum(0)[None])[0], values(draws @ table)
    lows, highs = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    ends = zip(whole.tolist(), lows.tolist(), highs.tolist(), drawn.std(0).tolist(), strict=True)
    return [
        Interval(value, low, high, "percentile bootstrap", len(table), errors=((se, NO_LIMIT),))
        for value, low, high, se in ends
    ]


def holm(values: Sequence[float]) -> list[float]:
    """P-values adjusted for multiple comparisons, step-down (Holm, 1979).

    Not that of statsmodels, which collects the garbage of the whole process at every call.
    """
    p = np.asarray(values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]))
    return adjusted.tolist()
