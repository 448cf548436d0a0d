"""The trivial baselines of a folder as rows, shown only beside trained configurations of the same task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from wordways.labels import natural, titled
from wordways.record import Record, canonical
from wordways.report.rows import BASELINE, Row, rows_of, title_of


def baseline_rows(records: Sequence[Record], rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    """By task, as the trained configurations `rows` name it; none of a task that no configuration was trained on."""
    of_task = {canonical(row.first().config["task"]): row for row in rows}
    found: dict[str, list[Row]] = {}
    for record in records:
        row = of_task.get(canonical(record.config["task"]))
        if row is not None and record.is_baseline and record.status == "ok":
            found.setdefault(row.task, []).append(Row(title_of(record.config), BASELINE, row.task, [record], row.title))
    return {task: sorted(told_apart(of_one), key=lambda row: natural(row.label)) for task, of_one in found.items()}


def all_rows(records: Sequence[Record]) -> list[Row]:
    """Trained configurations and, behind them, the trivial baselines that their gates need."""
    rows = rows_of(records)
    return [*rows, *chain.from_iterable(baseline_rows(records, rows).values())]


def told_apart(rows: Sequence[Row]) -> list[Row]:
    """Where runs differ in their number of items, a baseline has a row for each, with the number in its label."""
    counts = Counter(row.label for row in rows)
    return [
        Row(titled(row.label, [f"{len(row.first().item_ids):,} items"]), row.paradigm, row.task, row.records, row.title)
        if counts[row.label] > 1
        else row
        for row in rows
    ]
