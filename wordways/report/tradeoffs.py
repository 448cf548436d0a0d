"""Speed and quality in one number each: the latency at which a quality is had, the quality that a latency buys.

Intervals are carried through: a least of latencies lies between the least of their lower and the least of their upper
ends, a greatest of qualities likewise, and an area that grows with quality and shrinks with latency lies between those
of the worst and of the best ends. That neither corrects for having chosen among settings nor needs a resampling.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby, pairwise
from math import inf, log10

import pandas as pd

from wordways.report import derive
from wordways.report.rows import Row
from wordways.report.stats import Interval
from wordways.report.tables import Table, metrics_of, quality_columns

SHARES = (0.99, 0.95)  # of the baseline's quality, to be reached
BUDGETS = (1.0, 0.5, 0.1)  # of the baseline's latency, to be kept
REFERENCE = 10.0  # times the baseline's latency, at quality 0: the corner that areas are measured from
CARRIED = "ends carried through"

Point = tuple[Row, Interval, Interval]  # a setting, its E2E in seconds, its quality


def tradeoff_table(rows: Sequence[Row]) -> Table | None:
    """A line a metric and paradigm, over all its settings; None where the first row, the baseline, has no latency."""
    time = rows[0].over_seeds(derive.latency)
    if time is None:
        return None
    metrics = dict.fromkeys(metric for _, metric, _ in quality_columns(rows))
    frame = [line for metric in metrics for line in lines_of_metric(rows, metric, time.value)]
    if not frame:
        return None
    parts = " and ".join(f"{part:.0%}" for part in BUDGETS[1:])
    budget, corner = 1e3 * time.value, 1e3 * REFERENCE * time.value
    note = (
        f"Over each paradigm's settings; the baseline is {rows[0].label}, its E2E {budget:.3g} ms, batch 1. "
        "At 99 % and 95 %: the least E2E, ms, of settings whose interval's lower end reaches that share of the "
        "baseline's quality. Within: the best quality of settings whose E2E is at most that, the baseline's and "
        f"{parts} of it. Behind each the setting. Hypervolume: quality times decades of E2E, from the reference "
        f"point of quality 0 and {corner:.3g} ms, {REFERENCE:g} times the baseline's E2E. In brackets 95 % intervals, "
        f"{CARRIED}, not corrected for the choice among settings. –: no setting does."
    )
    return Table(f"tradeoffs_{rows[0].task}", f"Trade-offs, {rows[0].task}", note, pd.DataFrame(frame))


def lines_of_metric(rows: Sequence[Row], metric: str, slowest: float) -> Iterator[dict[str, str]]:
    """None where the metric's baseline is 0, unknown or without an interval, or more of it is not better."""
    entry, value = metrics_of(rows)[metric], partial(derive.quality, metric=metric)
    baseline = rows[0].over_seeds(value)
    if baseline is None or not baseline.known() or baseline.value <= 0 or not entry["higher_is_better"]:
        return
    found = [
        (row, time, quality)
        for row in rows
        if (time := row.over_seeds(derive.latency)) is not None and (quality := row.over_seeds(value)) is not None
    ]
    form = "{:.3f}" if entry["unit"] == "share" else "{:.1f}"
    for paradigm, settings in groupby(found, key=lambda point: point[0].paradigm):
        points = list(settings)
        cells = {"": paradigm, "settings": f"{len(points)}", "quality": metric}
        for share in SHARES:
            cells[f"ms at {share:.0%}"] = shown(latency_at(points, share * baseline.value), 1e3, "{:.3g}")
        for part in BUDGETS:
            bought = quality_within(points, part * slowest)
            cells[f"within {1e3 * part * slowest:.3g} ms"] = shown(bought, 1, form)
        yield cells | {"hypervolume": shown((hypervolume(points, REFERENCE * slowest), None), 1, "{:.3g}")}


def latency_at(points: Sequence[Point], least: float) -> tuple[Interval | None, Row | None]:
    """The least E2E of settings that reach a quality with their whole interval, and the setting."""
    reached = [(row, time) for row, time, quality in points if quality.low >= least]
    if not reached:
        return None, None
    row, best = min(reached, key=lambda pair: pair[1].value)
    return carried(min, [time for _, time in reached], best.n), row


def quality_within(points: Sequence[Point], budget: float) -> tuple[Interval | None, Row | None]:
    """The best quality of settings whose E2E is at most a budget, seconds, and the setting."""
    kept = [(row, quality) for row, time, quality in points if time.value <= budget]
    if not kept:
        return None, None
    row, best = max(kept, key=lambda pair: pair[1].value)
    return carried(max, [quality for _, quality in kept], best.n), row


def carried(extreme: Callable[[Sequence[float]], float], found: Sequence[Interval], n: int) -> Interval:
    value, low, high = (extreme([getattr(one, end) for one in found]) for end in ("value", "low", "high"))
    return Interval(value, low, high, CARRIED, n)


def hypervolume(points: Sequence[Point], slowest: float) -> Interval | None:
    """Area that the settings dominate, quality from 0 times decades of latency up to the slowest; None without any."""
    value, low, high = (
        area([(getattr(time, late), getattr(quality, good)) for _, time, quality in points], slowest)
        for late, good in (("value", "value"), ("high", "low"), ("low", "high"))
    )
    return Interval(value, low, high, CARRIED, len(points)) if value > 0 else None


def area(points: Sequence[tuple[float, float]], slowest: float) -> float:
    inside = unbeaten([(time, quality) for time, quality in points if time < slowest and quality > 0], True)
    if any(time <= 0 for time, _ in inside):
        return inf  # of an interval over seeds that reaches beyond all latencies
    steps = pairwise([*inside, (slowest, 0.0)])
    return sum(quality * log10(until / time) for (time, quality), (until, _) in steps)


def unbeaten(points: Sequence[tuple[float, float]], higher_is_better: bool) -> list[tuple[float, float]]:
    """The Pareto front: of (cost, quality) those than which no other is as cheap and better, cheapest first."""
    sign, kept = 1 if higher_is_better else -1, []
    for cost, quality in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not kept or sign * quality > sign * kept[-1][1]:
            kept.append((cost, quality))
    return kept


def shown(found: tuple[Interval | None, Row | None], scale: float, form: str) -> str:
    interval, row = found
    if interval is None:
        return "–"
    value, low, high = (form.format(scale * end) for end in (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]" + (f" {row.label}" if row is not None else "")
