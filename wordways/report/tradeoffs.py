"""Speed and quality in single numbers: latency at a given quality, quality within a given latency, hypervolume.

Intervals are propagated by their ends: a minimum of latencies lies between the minima of their lower and of their upper
ends, a maximum of qualities likewise, and the hypervolume, which grows with quality and shrinks with latency, between
those of the worst and of the best ends. The choice among configurations is not corrected for. A result is known only as
far as all that it was made of: without an interval of one configuration it has none.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import log10

from wordways.report.rows import Row
from wordways.report.stats import Interval, without_interval

CARRIED = "ends carried through"

Point = tuple[Row, Interval, Interval]  # a configuration, its end-to-end latency in seconds, its quality


def latency_at(points: Sequence[Point], least: float) -> tuple[Interval | None, Row | None]:
    """The least E2E of configurations whose whole interval reaches a quality, and the configuration."""
    reached = [(row, time) for row, time, quality in points if quality.known() and quality.low >= least]
    if not reached:
        return None, None
    row, best = min(reached, key=lambda pair: pair[1].value)
    found = carried(min, [time for _, time in reached], best.n)
    return replace(found, low=max(found.low, 0.0)), row  # an interval over few seeds may reach below 0 seconds


def quality_within(points: Sequence[Point], budget: float) -> tuple[Interval | None, Row | None]:
    """The best quality of configurations whose E2E is at most a budget, seconds, and the configuration."""
    kept = [(row, quality) for row, time, quality in points if time.value <= budget]
    if not kept:
        return None, None
    row, best = max(kept, key=lambda pair: pair[1].value)
    return carried(max, [quality for _, quality in kept], best.n), row


def carried(extreme: Callable[[Sequence[float]], float], found: Sequence[Interval], n: int) -> Interval:
    value, low, high = (extreme([getattr(one, end) for one in found]) for end in ("value", "low", "high"))
    return known_as(Interval(value, low, high, CARRIED, n), found)


def known_as(interval: Interval, parts: Sequence[Interval]) -> Interval:
    """The interval, where all that it was made of have one; else its value alone."""
    alone = replace(interval, low=interval.value, high=interval.value, method="none")
    return interval if all(part.known() for part in parts) else alone


def hypervolume(points: Sequence[Point], slowest: float, least: float = 0.0) -> Interval | None:
    """Area dominated by the configurations: quality from 0 times decades of latency up to `slowest`.

    None where no configuration inside it has a quality above `least`, the metric's resolution. There is no interval
    where a latency's reaches 0 seconds, at which the area is infinite.
    """
    points = [(row, time, quality) for row, time, quality in points if quality.value > least]
    value, low, high = (
        area([(getattr(time, late), getattr(quality, good)) for _, time, quality in points], slowest)
        for late, good in (("value", "value"), ("high", "low"), ("low", "high"))
    )
    if value is None or value <= 0:
        return None
    if low is None or high is None:
        return without_interval(value, len(points))
    parts = [interval for _, *both in points for interval in both]
    return known_as(Interval(value, low, high, CARRIED, len(points)), parts)


def area(points: Sequence[tuple[float, float]], slowest: float) -> float | None:
    """None where it is infinite."""
    inside = unbeaten([(time, quality) for time, quality in points if time < slowest and quality > 0], True)
    if any(time <= 0 for time, _ in inside):
        return None
    steps = pairwise([*inside, (slowest, 0.0)])
    return sum(quality * log10(until / time) for (time, quality), (until, _) in steps)


def unbeaten(points: Sequence[tuple[float, float]], higher_is_better: bool) -> list[tuple[float, float]]:
    """The Pareto front of (cost, quality), cheapest first: no other point costs as little and is better."""
    sign, kept = 1 if higher_is_better else -1, []
    for cost, quality in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not kept or sign * quality > sign * kept[-1][1]:
            kept.append((cost, quality))
    return kept
