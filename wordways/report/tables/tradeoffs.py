"""Trade-offs of every paradigm, over all its configurations: quality at a latency, latency at a quality."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby

import pandas as pd

from wordways.labels import spoken
from wordways.report import derive
from wordways.report.columns import digits_of, metrics_of, quality_columns
from wordways.report.rows import Row
from wordways.report.show import fixed, significant
from wordways.report.stats import Interval
from wordways.report.table import Table
from wordways.report.tradeoffs import CARRIED, hypervolume, latency_at, quality_within

ORDER = 3
TIMES = True  # each machine has rows of its own
SHARES = (0.99, 0.95)  # of the baseline's quality that must be reached
BUDGETS = (1.0, 0.5, 0.1)  # of the baseline's latency that must not be exceeded
REFERENCE = 10.0  # times the baseline's latency, at quality 0: the reference point of hypervolumes


def table(rows: Sequence[Row]) -> Table | None:
    """A line for each metric and paradigm; None where the first configuration, the baseline, has no latency."""
    time = rows[0].over_seeds(derive.latency)
    if time is None:
        return None
    metrics = dict.fromkeys(metric for _, metric, _ in quality_columns(rows))
    frame = [line for metric in metrics for line in lines_of_metric(rows, metric, time.value)]
    if not frame:
        return None
    parts = " and ".join(f"{part:.0%}" for part in BUDGETS[1:])
    budget, corner = milliseconds(time.value), milliseconds(REFERENCE * time.value)
    note = (
        f"Baseline: {rows[0].label}, end-to-end latency {budget} ms at batch 1. Brackets: intervals of at least 95 %, "
        "behind them the chosen configuration; –: none qualifies."
    )
    details = (
        "Latency at 99 % and 95 %: the least end-to-end latency among configurations whose interval's lower end "
        "reaches that share of the baseline's quality. Quality within a latency: the best among configurations whose "
        f"latency is at most the baseline's, and {parts} of it. Hypervolume: quality times decades of latency, from "
        f"quality 0 and {corner} ms, {REFERENCE:g} times the baseline's; qualities that print as 0 count as none. "
        f"Intervals: {CARRIED}, not corrected for the choice among configurations; left out where a part has none of "
        "at least 95 %, or where a latency's reaches 0."
    )
    task = rows[0]
    return Table(f"tradeoffs_{task.task}", f"Trade-offs: {task.title}", note, pd.DataFrame(frame), "", details)


def lines_of_metric(rows: Sequence[Row], metric: str, slowest: float) -> Iterator[dict[str, str]]:
    """One line per paradigm; none where the baseline is 0, unknown or without an interval, or higher is not better."""
    entry, value = metrics_of(rows)[metric], partial(derive.quality, metric=metric)
    baseline = rows[0].over_seeds(value)
    if baseline is None or not baseline.known() or baseline.value <= 0 or not entry["higher_is_better"]:
        return
    found = [
        (row, time, quality)
        for row in rows
        if (time := row.over_seeds(derive.latency)) is not None and (quality := row.over_seeds(value)) is not None
    ]
    digits = digits_of(entry)
    quality_form = partial(fixed, digits=digits)
    for paradigm, settings in groupby(found, key=lambda point: point[0].paradigm):
        points = list(settings)
        cells = {"": spoken(paradigm), "configurations": f"{len(points)}", "quality": metric}
        for share in SHARES:
            cells[f"latency at {share:.0%} (ms)"] = shown(*latency_at(points, share * baseline.value), milliseconds)
        for part in BUDGETS:
            bought = quality_within(points, part * slowest)
            cells[f"quality within {milliseconds(part * slowest)} ms"] = shown(*bought, quality_form)
        volume = hypervolume(points, REFERENCE * slowest, 0.5 * 10.0**-digits)
        yield cells | {"hypervolume": shown(volume, None, quality_form)}


def milliseconds(seconds: float) -> str:
    return significant(1e3 * seconds)


def shown(interval: Interval | None, row: Row | None, form: Callable[[float], str]) -> str:
    if interval is None:
        return "–"
    ends = f" [{form(interval.low)}, {form(interval.high)}]" if interval.known() else ""
    return f"{form(interval.value)}{ends}" + (f" {row.label}" if row is not None else "")
