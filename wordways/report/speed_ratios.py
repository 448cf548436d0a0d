"""Whether a timing repeats: ratios of speed between configurations in two folders, which no machine's speed enters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import pandas as pd

from wordways.record import Record
from wordways.report import derive
from wordways.report.columns import batches_of
from wordways.report.compare import by_settings
from wordways.report.rows import Row, rows_of
from wordways.report.signature import signature
from wordways.report.table import Table

COLUMNS = ["", "measure", "ratio in A", "ratio in B", "change"]


@dataclass(frozen=True)
class Pair:
    """A speed of one configuration in both folders."""

    row: Row
    first: float
    second: float

    @property
    def moved(self) -> float:
        return self.second / self.first


def speed_ratios(first: Sequence[Record], second: Sequence[Record]) -> Table | None:
    """Every speed relative to that of the task's first shared configuration; None where no two are shared."""
    a, b = (by_settings(rows_of(records)) for records in (first, second))
    shared = [(a[key], b[key]) for key in a if key in b]
    lines, largest = [], (0.0, "")
    for task, of_task in groupby(shared, key=lambda both: both[0].task):
        for measure, pairs in speeds(list(of_task)):
            lines += [line(task, measure, pairs[0], pair) for pair in pairs[1:]]
            least, most = min(pairs, key=lambda pair: pair.moved), max(pairs, key=lambda pair: pair.moved)
            which = f"{measure} of {most.row.label} to that of {least.row.label}, {task}"
            largest = max(largest, (most.moved / least.moved - 1, which))
    if not lines:
        return None
    note = f"Over all pairs of configurations, the ratio that changed most did by {largest[0]:.1%}."
    details = (
        f"It is {largest[1]}. Each line divides a configuration's speed by that of the first of its task that "
        "both folders have, and compares the ratio in B with that in A. A machine that is faster as a whole changes "
        "no ratio."
    )
    table = Table("ratios", "Ratios of speed in A and in B", note, pd.DataFrame(lines, columns=COLUMNS), "", details)
    return replace(table, signature="\n".join(signature([both[i] for both in shared]) for i in (0, 1)))


def speeds(rows: Sequence[tuple[Row, Row]]) -> Iterator[tuple[str, list[Pair]]]:
    """Latency, and throughput at every batch size, of the configurations that have it in both folders."""
    measures = {"end-to-end latency": derive.latency}
    for batch in batches_of([row for both in rows for row in both]):
        measures[f"throughput, batch {batch}"] = partial(derive.throughput, batch=batch)
    for name, value in measures.items():
        found = [(a, a.over_seeds(value), b.over_seeds(value)) for a, b in rows]
        pairs = [Pair(row, one.value, other.value) for row, one, other in found if one and other]
        pairs = [pair for pair in pairs if min(pair.first, pair.second) > 0]
        if len(pairs) > 1:
            yield name, pairs


def line(task: str, measure: str, base: Pair, pair: Pair) -> dict[str, str]:
    before, after = pair.first / base.first, pair.second / base.second
    return {
        "": f"{task}, {pair.row.label} / {base.row.label}",
        "measure": measure,
        "ratio in A": f"{before:.3g}",
        "ratio in B": f"{after:.3g}",
        "change": f"{round(after / before - 1, 3) + 0.0:+.1%}",  # and never -0.0%
    }
