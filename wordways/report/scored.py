"""A table of scores with intervals, with analytic values where these exist and the scores of the references."""

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from wordways.report import derive
from wordways.report.columns import beside_theory, digits_of, metrics_of, split
from wordways.report.oracles import lines_of, lost_bits
from wordways.report.rows import Row
from wordways.report.table import Mark, Table

REFERENCE = "reference"  # the row of the references' own scores
MARKS_NOTE = " Bold: best. Underlined: not significantly different from the best."
MARKS_DETAILS = (
    "Marks compare each configuration with the best of its column, paired on identical items or seeds (Holm over the "
    "column, p at least .05); a difference that is not significant is not evidence of equality. Columns without marks "
    "show no significant difference. "
)


def scored_table(
    title: str,
    rows: Sequence[Row],
    columns: Sequence[tuple[str, str, str | None]],
    marks: Mapping[tuple[int, int], Mark] | None = None,
) -> Table:
    """A line for each configuration and one for the references.  columns: heading, metric, stratum (None: all)."""
    frame, methods, known = [], set(), metrics_of(rows)
    metrics = {metric: known[metric] for _, metric, _ in columns}
    for row in rows:
        theory = {(line["measure"], line["operation"]): line for line in lines_of(row.first())}
        cells = {"": row.label}
        for heading, metric, stratum in columns:
            measured = row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum))
            digits, apart = digits_of(metrics[metric]), split(row, metric, stratum, metrics[metric]["unit"])
            cells[heading] = beside_theory(measured, digits, theory.get((metric, stratum))) + apart
            methods |= set() if measured is None or not measured.known() else {f"{measured.method}, n = {measured.n:,}"}
        frame.append(cells)
    data = {h: derive.quality_of_data(rows[0].first(), metric, stratum) for h, metric, stratum in columns}
    if any(data.values()):
        places = {heading: digits_of(metrics[metric]) for heading, metric, _ in columns}
        frame.append({"": REFERENCE} | {h: beside_theory(value, places[h], None) for h, value in data.items()})
    of = f" of {next(iter(metrics))}" if len(metrics) == 1 else ""
    exact = " Brackets: analytic value (✗: outside its tolerance)." if theory_known(rows) else ""
    note = f"Means{of} ± half-width of a 95 % interval.{exact}{MARKS_NOTE if marks else ''}"
    units = "; ".join(f"{name} ({entry['unit']})" for name, entry in metrics.items() if entry["unit"])
    signatures = "".join(f" {name}: {entry['signature']}." for name, entry in metrics.items() if entry.get("signature"))
    details = (
        f"Units: {units}. Intervals: {'; '.join(sorted(methods))}. {MARKS_DETAILS if marks else ''}"
        f"{lost_note(rows)}{signatures}"
    )
    task = rows[0]
    return Table(
        f"{title.lower()}_{task.task}", f"{title}: {task.title}", note, pd.DataFrame(frame), "", details.strip(),
        marks or {},
    )  # fmt: skip


def theory_known(rows: Sequence[Row]) -> bool:
    return any(True for row in rows for _ in lines_of(row.first()))


def lost_note(rows: Sequence[Row]) -> str:
    """The conditional total correlation of the strata in which it is not 0."""
    lost = lost_bits(rows[0].first())
    counted = ", ".join(f"{stratum} {bits:.3f}" for stratum, bits in lost.items() if bits)
    if not lost:
        return ""
    others = "" if len(lost) == 1 else " and 0 in the other strata" if counted else "0"
    return f"Conditional total correlation, lost by factorised sampling of a whole text (bits): {counted}{others}."
