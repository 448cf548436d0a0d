"""Speed: latency, throughput and forward passes."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from wordways.report import derive
from wordways.report.columns import batches_of, length_measures, rounded, speed_measures
from wordways.report.rows import Row
from wordways.report.table import Table

ORDER = 2
GAIN = 1.1  # throughput ratio of a larger batch up to which the smaller one saturates the machine
LENGTHS = (
    " length: what decides where a text ends: its end token (eos), a predicted length (predicted), the reference's "
    "length (oracle) or nothing (fixed). Length error is relative to the reference's tokens; canvas utilisation is the "
    "share of the canvas before the end."
)


def table(rows: Sequence[Row]) -> Table:
    measures, lengths_differ = speed_measures(rows), bool(length_measures(rows))
    frame = []
    for row in rows:
        found = {measure.heading: row.over_seeds(measure.value) for measure in measures}
        cells = {m.heading: rounded(found[m.heading], m.scale) for m in measures}
        mode = {"length": derive.length_mode(row.first())} if lengths_differ else {}
        frame.append({"": row.label} | mode | cells)
    where = rows[0].first()
    device = f"{where.provenance['device']}, {where.provenance['threads']} threads, {where.config['dtype']}"
    repeats = where.config["measure"]["repeats"]
    note = f"Batch 1 unless a heading says otherwise; useful tokens only; medians. {device}."
    details = (
        f"Medians over texts of medians over {repeats} repeats. {where.budgets['params']:,} parameters each. Useful "
        "tokens are those before the first end token. TPOT is 0 by definition where one forward pass generates the "
        f"text.{saturation(rows)}{LENGTHS * lengths_differ}"
    )
    return Table(f"speed_{rows[0].task}", f"Speed: {rows[0].title}", note, pd.DataFrame(frame), "", details)


def saturation(rows: Sequence[Row]) -> str:
    """A sentence on whether the largest batch saturates the machine; empty for a single batch size."""
    batches = batches_of(rows)
    if len(batches) < 2:
        return ""
    found = [[row.over_seeds(partial(derive.throughput, batch=batch)) for batch in batches[-2:]] for row in rows]
    gaining = sum(bool(a and b and b.value > GAIN * a.value) for a, b in found)
    which = (
        f"does not saturate the machine for {gaining} of {len(rows)}" if gaining else "saturates the machine for all"
    )
    return (
        f" The largest batch, {batches[-1]}, {which} configurations (saturated: throughput at most a tenth above that "
        f"at batch {batches[-2]})."
    )
