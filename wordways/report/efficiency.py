"""Separates paradigm from implementation: measured latency beside the least latency that the machine allows.

T_ideal = sum over forward passes of max(FLOP / pi, bytes / beta), with pi and beta measured in the same run (roofline;
Williams et al., 2009); eta = T_ideal / T.
"""

from wordways.record import Record
from wordways.report import derive
from wordways.report.stats import Interval


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


def ideal_latency_per_token(record: Record) -> Interval | None:
    """T_ideal / N at batch 1, seconds."""
    return derive.over_texts([[time / e["useful_tokens"]] for time, e in ideal(record) if e["useful_tokens"]])


def efficiency(record: Record) -> Interval | None:
    """eta = T_ideal / T at batch 1."""
    return derive.over_texts([[time / taken for taken in derive.end_to_end(entry)] for time, entry in ideal(record)])
