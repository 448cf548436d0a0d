"""The numbers that tables show: which there are, their headings, and their rounding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from wordways.record import Record
from wordways.report import derive
from wordways.report.rows import Row
from wordways.report.show import measured, significant, with_interval
from wordways.report.stats import Interval, without_interval

ALL = "all"  # heading of a metric over all strata
SOLVED, APART = 0.95, 0.5  # share that counts as solved; difference between seeds that counts as disagreement


@dataclass(frozen=True)
class Measure:
    """A number of a record: heading in tables, name and unit in data files, factor from the raw value to that unit."""

    heading: str
    name: str
    unit: str
    scale: float
    value: Callable[[Record], Interval | None]


def exactly(value: Callable[[Record], float | None], record: Record) -> Interval | None:
    """A number without an interval, such as a count or a correlation over a few traces."""
    found = value(record)
    return None if found is None else without_interval(found, 1)


def length_measures(rows: Sequence[Row]) -> list[Measure]:
    """Length error and canvas utilisation; empty where the canvas determines the length of every text."""
    found = [
        Measure("length error", "length_error", "", 1, derive.length_error),
        Measure("canvas utilisation", "canvas_utilisation", "", 1, derive.canvas_utilisation),
    ]
    return found if any(derive.has_own_lengths(row.first()) for row in rows) else []


def batches_of(rows: Sequence[Row]) -> list[int]:
    """Batch sizes at which texts of natural length were timed."""
    return sorted({e["batch"] for row in rows for r in row.records for e in r.timing if e["workload"] == "natural"})


def speed_measures(rows: Sequence[Row]) -> list[Measure]:
    batches = batches_of(rows)
    return [
        Measure("latency/token (ms)", "latency_per_token", "ms", 1e3, derive.latency_per_token),
        Measure("end-to-end (ms)", "end_to_end", "ms", 1e3, derive.latency),
        Measure("p95 (ms)", "end_to_end_p95", "ms", 1e3, derive.latency_p95),
        Measure("TTFT (ms)", "time_to_first_token", "ms", 1e3, derive.time_to_first_token),
        Measure("TPOT (ms)", "time_per_output_token", "ms", 1e3, derive.time_per_output_token),
        *(
            Measure(
                f"throughput (tok/s, batch {batch})",
                f"tokens_per_second_at_{batch}",
                "1/s",
                1,
                partial(derive.throughput, batch=batch),
            )
            for batch in batches
        ),
        Measure("forward passes", "calls", "", 1, derive.calls),
        Measure("tokens/pass", "tokens_per_pass", "", 1, derive.tokens_per_pass),
        Measure("positions/token", "positions_per_token", "", 1, derive.positions_per_token),
        *length_measures(rows),
        Measure(
            "peak memory (MB, batch 1)",
            "peak_megabytes_at_1",
            "MB",
            1e-6,
            partial(exactly, partial(derive.peak_memory, batch=1)),
        ),
    ]


def data_measures(rows: Sequence[Row]) -> list[Measure]:
    """The measures of the data file: those of the speed table and others."""
    batches = batches_of(rows)
    return [
        *speed_measures(rows),
        Measure("", "last_useful_token", "ms", 1e3, derive.last_useful_token),
        *(
            Measure(
                "",
                f"characters_per_second_at_{batch}",
                "1/s",
                1,
                partial(derive.throughput, batch=batch, of="useful_chars"),
            )
            for batch in batches
        ),
        Measure("", "revised_share", "", 1, partial(exactly, derive.revisions)),
        Measure("", "order_kendall_tau", "", 1, partial(exactly, derive.order_correlation)),
    ]


def quality_columns(rows: Sequence[Row]) -> list[tuple[str, str, str | None]]:
    """(heading, metric, stratum; None: all): all metrics of a single stratum; of several, the first metric's strata.

    Behind the strata stand the metrics that are alone with their unit, which nothing else in the table says.
    """
    strata, known = list(dict.fromkeys(stratum for row in rows for stratum in row.first().groups())), metrics_of(rows)
    first, *others = known
    if len(strata) == 1:
        return [(metric, metric, strata[0]) for metric in known]
    units = [entry["unit"] for entry in known.values()]
    single = [(metric, metric, None) for metric in others if units.count(known[metric]["unit"]) == 1]
    return [(ALL, first, None), *((stratum, first, stratum) for stratum in strata), *single]


def metrics_of(rows: Sequence[Row]) -> dict[str, Mapping[str, Any]]:
    """The configurations' metrics by name: first the task's own, led by its headline metric, then loaded ones."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for name, entry in row.first().scores.items():
            found.setdefault(name, entry)
    return dict(sorted(found.items(), key=lambda named: "loaded" in named[1]))


def digits_of(entry: Mapping[str, Any]) -> int:
    """Decimals shown: one for metrics on a scale up to 100 and for perplexity, three for others."""
    return 1 if entry["unit"] in ("BLEU", "chrF", "perplexity") else 3


def split(row: Row, metric: str, stratum: str | None, unit: str) -> str:
    """How many seeds solve the task, where some do and others do not and a mean is therefore not informative."""
    found = [derive.quality(record, metric, stratum) for record in row.records]
    shares = [interval.value for interval in found if interval is not None]
    apart = max(shares, default=0) - min(shares, default=0) >= APART
    if not apart or unit != "share":
        return ""
    return f", solved {sum(share >= SOLVED for share in shares)} of {len(shares)}"


def beside_theory(measured: Interval | None, digits: int, line: Mapping[str, Any] | None) -> str:
    if measured is None:
        return "–"
    shown = with_interval(measured, digits)
    if line is None:
        return shown
    holds = abs(measured.value - line["theory"]) <= line["tolerance"]
    return f"{shown} [{line['theory']:.4g}]{'' if holds else ' ✗'}"


def rounded(interval: Interval | None, scale: float) -> str:
    """Three significant digits; a dash where there is no value."""
    return "–" if interval is None else significant(interval.value * scale)


def rounded_with_interval(interval: Interval | None, scale: float) -> str:
    """Three significant digits and the interval, where there is one; a dash where there is no value."""
    return "–" if interval is None else measured(interval, scale)
