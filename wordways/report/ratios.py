"""Ratios of two configurations' times and rates, paired: on the same texts, or within the same rounds of timing."""

from collections.abc import Callable, Mapping
from math import exp, log
from statistics import fmean, median

from wordways.record import Record
from wordways.report import derive
from wordways.report.contrasts import pairs_of
from wordways.report.machines import by_machine
from wordways.report.rows import Row
from wordways.report.stats import Interval, geometric_ratio, half_width, without_interval

Paired = Callable[[Record], Mapping[int, float]]
"""A record's values by what another record's can be paired with: the number of a text, or of a round."""


def latency_by_text(record: Record) -> Mapping[int, float]:
    """E2E at batch 1 by number of the text, seconds: the median over repeats."""
    return {entry["first"]: median(derive.end_to_end(entry)) for entry in derive.alone(record)}


def tokens_by_round(record: Record, batch: int) -> Mapping[int, float]:
    """Useful tokens per second over all batches of a size, by round of timing."""
    entries = [entry for entry in record.timing if entry["workload"] == "natural" and entry["batch"] == batch]
    tokens = sum(entry["useful_tokens"] for entry in entries)
    rounds = zip(*map(derive.end_to_end, entries), strict=True) if tokens else ()
    return {number: tokens / sum(times) for number, times in enumerate(rounds)}


def paired_ratio(row: Row, other: Row, values: Paired) -> Interval | None:
    """The geometric mean of row / other over what both have, or over their common seeds; None without any pair.

    None also of times from several machines, which say nothing about the rows.
    """
    if len(by_machine([record for one in (row, other) for record in (*one.records, *one.again)])) > 1:
        return None
    by_seed = []
    for a, b in pairs_of(row, other):
        above, below = values(a), values(b)
        by_seed.append([above[key] / below[key] for key in sorted(above.keys() & below.keys())])
    if not by_seed or not all(by_seed):
        return None
    if len(by_seed) == 1:
        return geometric_ratio(by_seed[0])
    return geometric_ratio([exp(fmean(map(log, ratios))) for ratios in by_seed])


def ratio_of_means(a: Interval, b: Interval) -> Interval | None:
    """a / b of means that cannot be paired: the errors of their logarithms add up; None unless both are positive."""
    if min(a.value, b.value) <= 0:
        return None
    value, errors = a.value / b.value, tuple((se / x.value, df) for x in (a, b) for se, df in x.errors)
    if not (a.errors and b.errors):
        return without_interval(value, min(a.n, b.n))
    half = half_width(errors)
    ends = value * exp(-half), value * exp(half)
    return Interval(value, *ends, "ratio of means, delta method", min(a.n, b.n), errors=errors, scale="log")
