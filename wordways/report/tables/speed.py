"""Speed: latency, throughput and forward passes."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from wordways.record import Record
from wordways.report import derive
from wordways.report.columns import batches_of, length_measures, rounded_with_interval, speed_measures
from wordways.report.efficiency import compared, flips
from wordways.report.machines import mixed_machines
from wordways.report.rows import Row
from wordways.report.table import Table

ORDER = 2
TIMES = True  # each machine has rows of its own
TEXTS = 32  # that the protocol times at batch 1, or all
BUSY = 0.1  # cores used by other programs up to which a machine counts as idle
UNSTEADY = 0.1  # spread of a text's repeats, as a share of their median, from which on a row is marked
TURNED, RESTLESS = " ⇄", " ≈"
GAIN = 1.1  # throughput ratio of a larger batch up to which the smaller one saturates the machine
LENGTHS = (
    " length: what decides where a text ends: its end token (eos), a predicted length (predicted), the reference's "
    "length (oracle) or nothing (fixed). Length error is relative to the reference's tokens; canvas utilisation is the "
    "share of the canvas before the end."
)


def table(rows: Sequence[Row]) -> Table:
    measures, lengths_differ = speed_measures(rows), bool(length_measures(rows))
    frame, signs = [], signs_of(rows)
    for row, sign in zip(rows, signs, strict=True):
        found = {measure.heading: row.over_seeds(measure.value) for measure in measures}
        cells = {m.heading: rounded_with_interval(found[m.heading], m.scale) for m in measures}
        cells[measures[0].heading] += sign * (found[measures[0].heading] is not None)
        mode = {"length": derive.length_mode(row.first())} if lengths_differ else {}
        frame.append({"": row.label} | mode | cells)
    where = rows[0].first()
    device = " and ".join(dict.fromkeys(machine for row in rows for machine in map(described, row.records)))
    note = f"Batch 1 unless a heading says otherwise; useful tokens only; medians and 95 % intervals. {device}."
    if any(TURNED in sign for sign in signs):
        note += " ⇄: changes rank by implementation efficiency."
    if any(RESTLESS in sign for sign in signs):
        note += " ≈: repeats spread over a tenth."
    details = (
        f"{protocol(rows)} {where.budgets['params']:,} parameters each. Useful tokens are those before the first end "
        "token. p95 is the 95th percentile of end-to-end latency over texts, from 20 texts on. TPOT is given where at "
        "least half of the texts become readable token by token; a single forward pass has none."
        f"{saturation(rows)}{LENGTHS * lengths_differ}"
    )
    return Table(f"speed_{rows[0].task}", f"Speed: {rows[0].title}", note, pd.DataFrame(frame), "", details)


def described(record: Record) -> str:
    """The machine and the precision that a record was timed with."""
    return f"{record.provenance['device']}, {record.provenance['threads']} threads, {record.config['dtype']}"


def signs_of(rows: Sequence[Row]) -> list[str]:
    """What each row's latency is marked with, in the table and on the page."""
    turned = {id(row) for pair in flips(compared(rows)) for row, *_ in pair}
    return [TURNED * (id(row) in turned) + RESTLESS * is_unsteady(row) for row in rows]


def is_unsteady(row: Row) -> bool:
    """Whether the repeats of a text spread over more than a tenth of their median."""
    return any((derive.spread_of_repeats(record) or 0) > UNSTEADY for record in row.records)


def protocol(rows: Sequence[Row]) -> str:
    """How the configurations were timed: texts, repeats, sessions, machines, and which fell short of the protocol."""
    records = [record for row in rows for record in row.records if record.timing]
    texts = span([len(derive.alone(record)) for record in records], "text")
    repeats = span([len(entry["repeats_ns"]) for record in records for entry in record.timing], "repeat")
    sentences = [f"Medians over {texts} of medians over {repeats}.", sessions(records), mixed_machines(records)]
    short: dict[str, list[str]] = {}
    for row in rows:
        for reason in dict.fromkeys(reason for record in row.records for reason in shortcomings(record)):
            short.setdefault(reason, []).append(row.label)
    if short:
        listed = [
            f"{reason}: {'all configurations' if len(labels) == len(rows) else ', '.join(labels)}"
            for reason, labels in short.items()
        ]
        sentences.append(f"Below the protocol: {'; '.join(listed)}.")
    return " ".join(filter(None, sentences))


def span(counts: Sequence[int], what: str) -> str:
    """The least and the greatest count, one number where they are equal."""
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low if low == high else f'{low} to {high}'} {what}{'' if high == 1 else 's'}"


def sessions(records: Sequence[Record]) -> str:
    """Whether the runs were timed side by side; each older record was timed by itself."""
    found = [record.provenance.get("timing", {}).get("session") for record in records]
    together, apart = len({session for session in found if session}), found.count(None)
    if together == 1 and not apart:
        return "All were timed side by side in one session." if len(found) > 1 else ""
    parts = [f"{together} session{'s' * (together > 1)}"] * bool(together) + [f"{apart} by themselves"] * bool(apart)
    which = " and ".join(parts) if together else "each by itself"
    return f"The {len(found)} runs were timed {'in ' * bool(together)}{which}, not all side by side."


def shortcomings(record: Record) -> list[str]:
    """In what a run's timing fell short of the protocol."""
    if not record.timing:
        return []
    texts, told = len(derive.alone(record)), record.provenance.get("timing", {})
    found = [f"timed on {texts} text{'s' * (texts > 1)}"] * (0 < texts < min(TEXTS, len(record.item_ids)))
    found += ["the machine changed by more than a tenth meanwhile"] * (told.get("steady") is False)
    busy = max((cores for cores in told.get("busy", ()) if cores is not None), default=0)
    return found + ["other programs ran beside it"] * (busy > BUSY)


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
