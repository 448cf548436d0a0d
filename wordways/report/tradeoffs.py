"""Speed and quality in single numbers: latency at a given quality, quality within a given latency, hypervolume.

Intervals are propagated by their ends: a minimum of latencies lies between the minima of their lower and of their upper
ends, a maximum of qualities likewise, and the hypervolume, which grows with quality and shrinks with latency, between
those of the worst and of the best ends. The choice among configurations is not corrected for.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, log10

from wordways.report.rows import Row
from wordways.report.stats import Interval

CARRIED = "ends carried through"

Point = tuple[Row, Interval, Interval]  # a configuration, its end-to-end latency in seconds, its quality


def latency_at(points: Sequence[Point], least: float) -> tuple[Interval | None, Row | None]:
    """The least E2E of configurations whose whole interval reaches a quality, and the configuration."""
    reached = [(row, time) for row, time, quality in points if quality.low >= least]
    if not reached:
        return None, None
    row, best = min(reached, key=lambda pair: pair[1].value)
    return carried(min, [time for _, time in reached], best.n), row


def quality_within(points: Sequence[Point], budget: float) -> tuple[Interval | None, Row | None]:
    """The best quality of configurations whose E2E is at most a budget, seconds, and the configuration."""
    kept = [(row, quality) for row, time, quality in points if time.value <= budget]
    if not kept:
        return None, None
    row, best = max(kept, key=lambda pair: pair[1].value)
    return carried(max, [quality for _, quality in kept], best.n), row


def carried(extreme: Callable[[Sequence[float]], float], found: Sequence[Interval], n: int) -> Interval:
    value, low, high = (extreme([getattr(one, end) for one in found]) for end in ("value", "low", "high"))
    return Interval(value, low, high, CARRIED, n)


def hypervolume(points: Sequence[Point], slowest: float) -> Interval | None:
    """Area dominated by the configurations: quality from 0 times decades of latency up to `slowest`; None if empty."""
    value, low, high = (
        area([(getattr(time, late), getattr(quality, good)) for _, time, quality in points], slowest)
        for late, good in (("value", "value"), ("high", "low"), ("low", "high"))
    )
    return Interval(value, low, high, CARRIED, len(points)) if value > 0 else None


def area(points: Sequence[tuple[float, float]], slowest: float) -> float:
    inside = unbeaten([(time, quality) for time, quality in points if time < slowest and quality > 0], True)
    if any(time <= 0 for time, _ in inside):
        return inf  # an interval over few seeds may reach below 0 seconds
    steps = pairwise([*inside, (slowest, 0.0)])
    return sum(quality * log10(until / time) for (time, quality), (until, _) in steps)


def unbeaten(points: Sequence[tuple[float, float]], higher_is_better: bool) -> list[tuple[float, float]]:
    """The Pareto front of (cost, quality), cheapest first: no other point costs as little and is better."""
    sign, kept = 1 if higher_is_better else -1, []
    for cost, quality in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not kept or sign * quality > sign * kept[-1][1]:
            kept.append((cost, quality))
    return kept
