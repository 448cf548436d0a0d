"""How much of a latency is the paradigm's and how much the code's: measured time beside the least the machine allows.

T_ideal = sum over calls of max(FLOP / pi, bytes / beta), with pi and beta measured in the same run; eta = T_ideal / T.
"""

import itertools
import math
import statistics
from collections.abc import Sequence

import pandas as pd

from wordways.record import Record
from wordways.report import derive
from wordways.report.rows import Row
from wordways.report.stats import Interval
from wordways.report.tables import Table, rounded

Compared = tuple[Row, Interval, Interval, Interval]
"""A row, its measured and its ideal latency per token, eta."""

IMPOSSIBLE = 1.02  # an eta above is an error of the measurement


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


def efficiency_table(rows: Sequence[Row]) -> Table | None:
    """Measured and ideal latency, eta, both rankings; None where no run measured its machine."""
    found = [
        (row, measured, best, eta)
        for row in rows
        if (measured := row.over_seeds(derive.latency_per_token))
        and (best := row.over_seeds(ideal_latency_per_token))
        and (eta := row.over_seeds(efficiency))
    ]
    if not found:
        return None
    ranks = [ranking([one.value for _, one, _, _ in found]), ranking([one.value for _, _, one, _ in found])]
    turned = flips(found)
    changed = {id(row) for pair in turned for row, *_ in pair}
    frame = [
        {
            "": row.label,
            "ms/token": rounded(measured, 1e3),
            "ideal ms/token": rounded(best, 1e3),
            "eta": rounded(eta, 1) + (" ✗" if eta.value > IMPOSSIBLE else ""),
            "rank": str(rank),
            "ideal rank": str(ideally) + (" ⇄" if id(row) in changed else ""),
        }
        for (row, measured, best, eta), rank, ideally in zip(found, *ranks, strict=True)
    ]
    peak = statistics.median(row.first().provenance["peak"]["flops_per_s"] for row, *_ in found) / 1e9
    beta = statistics.median(row.first().provenance["peak"]["bytes_per_s"] for row, *_ in found) / 1e9
    note = (
        f"Ideal: every call at {peak:,.3g} GFLOP/s or {beta:,.3g} GB/s, whichever takes longer, both measured in the "
        f"run; eta is ideal over measured. {len(turned)} of {math.comb(len(found), 2)} pairs change places, measured "
        "intervals apart (⇄): there, code decides rather than the way of writing. ✗: above "
        f"{IMPOSSIBLE}, an error of the measurement."
    )
    name = rows[0].task
    return Table(f"efficiency_{name}", f"Implementation efficiency, {name}", note, pd.DataFrame(frame))


def ranking(values: Sequence[float]) -> list[int]:
    """1 for the least."""
    order = sorted(values)
    return [order.index(value) + 1 for value in values]


def flips(found: Sequence[Compared]) -> list[tuple[Compared, Compared]]:
    """Pairs that change places between the measured and the ideal ranking, their measured intervals apart."""
    return [(a, b) for a, b in itertools.permutations(found, 2) if a[1].high < b[1].low and a[2].value > b[2].value]
