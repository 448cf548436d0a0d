"""Separates paradigm from implementation: measured latency beside the least latency that the machine allows.

T_ideal = sum over forward passes of max(FLOP / pi, bytes / beta), with pi and beta measured in the same run (roofline;
Williams et al., 2009); eta = T_ideal / T.
"""

import itertools
from collections.abc import Sequence

from wordways.record import Record
from wordways.report import derive
from wordways.report.rows import Row
from wordways.report.stats import Interval

Compared = tuple[Row, Interval, Interval, Interval]
"""A configuration, its measured and its ideal latency per token, eta."""


def ideal(record: Record) -> list[tuple[float, derive.Timing]]:
    """T_ideal, seconds, of every natural text timed alone; none where the run did not measure its machine."""
    peak = record.provenance.get("peak")
    if not peak:
        return []
    pi, beta = peak["flops_per_s"], peak["bytes_per_s"]
    return [
        (sum(max(flops / pi, moved / beta) for flops, moved in entry["work"]), entry)
        for entry in derive.alone(record)
        if entry.get("work")
    ]


@derive.of_timing
def ideal_latency_per_token(record: Record) -> Interval | None:
    """T_ideal / N at batch 1, seconds."""
    return derive.over_texts([[time / e["useful_tokens"]] for time, e in ideal(record) if e["useful_tokens"]])


@derive.of_timing
def efficiency(record: Record) -> Interval | None:
    """eta = T_ideal / T at batch 1."""
    return derive.over_texts([[time / taken for taken in derive.end_to_end(entry)] for time, entry in ideal(record)])


def compared(rows: Sequence[Row]) -> list[Compared]:
    """The configurations that were timed and whose machine's peak rates were measured."""
    return [
        (row, measured, best, eta)
        for row in rows
        if (measured := row.over_seeds(derive.latency_per_token))
        and (best := row.over_seeds(ideal_latency_per_token))
        and (eta := row.over_seeds(efficiency))
    ]


def flips(found: Sequence[Compared]) -> list[tuple[Compared, Compared]]:
    """Pairs ranked oppositely by measured and ideal latency whose measured intervals do not overlap."""
    timed = [one for one in found if one[1].known()]
    return [(a, b) for a, b in itertools.permutations(timed, 2) if a[1].high < b[1].low and a[2].value > b[2].value]
