"""A table of scores with intervals, with analytic values where these exist and the scores of the references."""

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from wordways.report import derive
from wordways.report.columns import beside_theory, digits_of, metrics_of, split
from wordways.report.gates import gate_of
from wordways.report.judges import judge_named, judged_by_itself
from wordways.report.marks import RULE
from wordways.report.oracles import lines_of, lost_bits
from wordways.report.rows import Row, trained
from wordways.report.table import Mark, Table

REFERENCE = "reference"  # the row of the references' own scores
MARKS_NOTE = " Bold: best; underlined: not significantly different."
MARKS_DETAILS = (
    f"{RULE} A difference that is not significant is not evidence of equality. Columns without marks show no "
    "significant difference. "
)
MUTED_NOTE = " Grey, unranked: trivial baselines, rows below the gate."
NO_GATE = "No trivial baselines were measured on these items, so that no gate applies. "


def scored_table(
    title: str,
    rows: Sequence[Row],
    columns: Sequence[tuple[str, str, str | None]],
    marks: Mapping[tuple[int, int], Mark] | None = None,
) -> Table:
    """A line for each configuration and one for the references.  columns: heading, metric, stratum (None: all)."""
    frame, methods, known = [], set(), metrics_of(rows)
    metrics = {metric: known[metric] for _, metric, _ in columns}
    below = {row.label: reason for row in rows if (reason := gate_of(row, rows))}
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
    muted = frozenset(line for line, row in enumerate(rows) if row.baseline or row.label in below)
    note = (
        f"Means{of} ± half-width, or (ends), of a 95 % interval.{exact}{MARKS_NOTE if marks else ''}"
        f"{MUTED_NOTE if muted else ''}"
    )
    units = "; ".join(f"{name} ({entry['unit']})" for name, entry in metrics.items() if entry["unit"])
    signatures = "".join(f" {name}: {' and '.join(found)}." for name in metrics if (found := signatures_of(rows, name)))
    models = trained(rows)
    details = (
        f"Units: {units}. {coverage(models)} Intervals: {'; '.join(sorted(methods))}. "
        f"{errors_note(models, next(iter(metrics)))}{MARKS_DETAILS if marks else ''}{gate_note(rows, below)}"
        f"{judge_named(models)} {judged_by_itself(models)} {lost_note(models)}{signatures}"
    )
    task = rows[0]
    return Table(
        f"{title.lower()}_{task.task}", f"{title}: {task.title}", note, pd.DataFrame(frame), "",
        " ".join(details.split()), marks or {}, muted,
    )  # fmt: skip


def coverage(rows: Sequence[Row]) -> str:
    """What the intervals of these rows cover."""
    trainings = sorted({len(row.records) for row in rows})
    if trainings == [1]:
        return "Intervals cover the sampling of items and texts and not the choice of the training's seed."
    some = "" if trainings[0] > 1 else ", of a row with one training the items alone"
    few = " Two trainings are too few to print an interval." if 2 in trainings else ""
    return f"Intervals cover trainings and items, both random{some}.{few}"


def errors_note(rows: Sequence[Row], metric: str) -> str:
    """The standard errors of the headline metric over all strata, by their source; empty for single trainings."""
    found = [(row.label, row.over_seeds(partial(derive.quality, metric=metric, stratum=None))) for row in rows]
    parts = [
        f"{label} {interval.training:.1g} and {interval.sampling:.1g}"
        for label, interval in found
        if interval is not None and interval.training is not None and interval.sampling is not None
    ]
    return f"Standard errors of {metric} from training and from sampling: {'; '.join(parts)}. " if parts else ""


def gate_note(rows: Sequence[Row], below: Mapping[str, str]) -> str:
    """Which rows do not pass the gate, and why."""
    if not any(row.baseline for row in rows):
        return NO_GATE
    reasons = "; ".join(f"{label} ({reason})" for label, reason in below.items())
    return f"Not trained far enough: {reasons}. " if reasons else "All rows pass the task's gate. "


def signatures_of(rows: Sequence[Row], metric: str) -> list[str]:
    """The signatures with which these rows' values of a metric were computed."""
    entries = [record.scores.get(metric, {}) for row in rows for record in row.records]
    return list(dict.fromkeys(entry["signature"] for entry in entries if entry.get("signature")))


def theory_known(rows: Sequence[Row]) -> bool:
    return any(True for row in rows for _ in lines_of(row.first()))


def lost_note(rows: Sequence[Row]) -> str:
    """The conditional total correlation of the strata in which it is not 0."""
    lost = lost_bits(rows[0].first())
    counted = ", ".join(f"{stratum} {bits:.3f}" for stratum, bits in lost.items() if bits)
    if not lost:
        return ""
    others = "0" if not counted else "" if len(lost) == 1 else " and 0 in the other strata"
    return f"Conditional total correlation, lost by factorised sampling of a whole text (bits): {counted}{others}."
