"""Records as tidy data frames, one number per line, for notebooks and other programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from wordways.labels import flatten
from wordways.record import Record, holds_records, read_records
from wordways.report.baselines import all_rows
from wordways.report.numbers import data_frame
from wordways.report.rows import Row, trained


@dataclass(frozen=True)
class Frames:
    """The frames of a results folder.

    cells: one line per record, with all its settings.  items: one line per text and metric.  timing: one line per timed
    repeat.  numbers: one line per number of the report's tables and others, over seeds, with interval, method and
    analytic value.  refused: one line for each file that is not a record.
    """

    cells: pd.DataFrame
    items: pd.DataFrame
    timing: pd.DataFrame
    numbers: pd.DataFrame
    refused: list[str]


def load(results: str | Path) -> Frames:
    """The frames of a results folder. Raises ValueError where it holds no records."""
    if not holds_records(Path(results)):
        raise ValueError(f"{results}: holds no cells folder")
    records, refused = read_records(Path(results))
    rows = all_rows(records)
    numbers = data_frame(trained(rows))
    return Frames(cells_frame(records, rows), items_frame(records), timing_frame(records), numbers, refused)


def cells_frame(records: Sequence[Record], rows: Sequence[Row]) -> pd.DataFrame:
    labels = {id(record): (row.task, row.label, row.paradigm) for row in rows for record in (*row.records, *row.again)}
    lines: list[dict[str, Any]] = []
    for record in records:
        task, label, paradigm = labels.get(id(record), (None, None, None))
        names = {"cell": record.name, "status": record.status, "reason": record.reason}
        names |= {"task": task, "row": label, "paradigm": paradigm}
        names |= {name: record.config.get(name) for name in ("preset", "seed")}
        machine = {name: record.provenance.get(name) for name in ("device", "threads", "commit", "started")}
        settings = {f"config.{name}": value for name, value in flatten(record.config).items()}
        lines.append(names | machine | dict(record.budgets) | settings)
    return pd.DataFrame(lines)


def items_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Scores by text; the statistics of pooled metrics, which are no means over texts, stay in the records."""
    parts = [
        pd.DataFrame(
            {
                "cell": record.name,
                "item": record.item_ids,
                "stratum": [record.strata[item] for item in record.item_ids],
                "metric": metric,
                "value": entry["items"],
            }
        )
        for record in records
        for metric, entry in record.scores.items()
        if entry.get("items")
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def timing_frame(records: Sequence[Record]) -> pd.DataFrame:
    lines = [
        {"cell": record.name}
        | {name: entry[name] for name in ("workload", "batch", "first", "useful_tokens", "useful_chars", "peak_bytes")}
        | {"repeat": number, "calls": len(durations), "seconds": sum(durations) / 1e9}
        for record in records
        for entry in record.timing
        for number, durations in enumerate(entry["repeats_ns"])
    ]
    return pd.DataFrame(lines)
