"""Printed tables as the page shows them: those of the report, the analytic values, the provenance."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from wordways.names import kind
from wordways.record import canonical
from wordways.report import derive
from wordways.report.page.limits import ROOM, within
from wordways.report.rows import Row
from wordways.report.table import Table

HEADLINE = 2  # tables that the page merges into its headline table: quality and speed
WORDY = 24  # characters of a cell beyond which its column is set as text


def further_tables(tables: Mapping[str, Sequence[Table]], apart: Container[str] = ()) -> list[dict[str, Any]]:
    """The tables of each task beyond the headline's, as many as fit.

    apart: tasks with rows that were timed on several machines, of which the headline's table has no times.
    """
    entries = (
        table_entry(table) | {"task": task}
        for task, of_task in tables.items()
        for table in of_task[HEADLINE - (task in apart) :]
    )
    return within(entries, ROOM["tables"])[0]


def table_entry(table: Table) -> dict[str, Any]:
    frame = table.frame.astype(str)
    cells = frame.to_numpy().tolist()
    wordy = [max((len(line[i]) for line in cells), default=0) > WORDY for i in range(len(frame.columns))]
    return {
        "title": table.title,
        "columns": [str(name) for name in frame.columns],
        "text": wordy,
        "rows": cells,
        "muted": sorted(table.muted),
        "note": table.note,
        "details": table.details,
        "signature": table.signature,
    }


def notes(quality: Table, speed: Table) -> dict[str, Any]:
    """Below the headline table: the notes of both tables that it merges, and the LaTeX of both."""
    latex = quality.latex() + "\n" + speed.latex()
    if len(latex) > ROOM["latex"]:
        latex = f"% The tables are too long for this page: see {quality.name}.tex and {speed.name}.tex in its folder."
    return {
        "note": [quality.note, speed.note],
        "details": [quality.details, speed.details],
        "signature": quality.signature,
        "latex": latex,
    }


def oracle_entry(oracles: tuple[Table, Sequence[Mapping[str, Any]]] | None, rows: Sequence[Row]) -> dict[str, Any]:
    """As many checks against analytic values as fit, failed ones first.  holds, tasks: of each line that is kept."""
    if oracles is None:
        return {"columns": [], "rows": [], "tasks": [], "holds": [], "note": "", "text": [], "title": "", "left": 0}
    table, lines = oracles
    entry = table_entry(table)
    names = {
        (kind(record.config["task"]), derive.holes(record, stratum), stratum): row.task
        for row in rows
        for record in reversed(row.records)
        if record.trace is not None
        for stratum in record.groups()
    }
    tasks = [names[line["task"], line["n"], line["operation"]] for line in lines]
    both = list(zip(entry["rows"], tasks, strict=True))
    order = sorted(range(len(both)), key=lambda i: lines[i]["holds"])
    room, kept = ROOM["oracles"], set()
    for i in order:
        room -= len(canonical(both[i]))
        if room >= 0:
            kept.add(i)
    return entry | {
        "rows": [both[i][0] for i in sorted(kept)],
        "tasks": [both[i][1] for i in sorted(kept)],
        "holds": [bool(lines[i]["holds"]) for i in sorted(kept)],
        "left": len(both) - len(kept),
    }


def provenance(rows: Sequence[Row]) -> dict[str, Any]:
    """One line for each machine, set of versions and commit."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for record in row.records:
            p = record.provenance
            versions = ", ".join(f"{name} {v}" for name, v in p["versions"].items() if v)
            commit = "–" if p["commit"] is None else p["commit"][:12] + (" with changes" if p["dirty"] else "")
            key = [p["device"], str(p["threads"]), p["platform"], f"Python {p['python']}, {versions}", commit]
            found.setdefault(canonical(key), [*key, 0])[-1] += 1
    lines = [[str(cell) for cell in line] for line in found.values()]
    return {
        "title": "",
        "columns": ["machine", "threads", "platform", "versions", "commit", "runs"],
        "text": [True, False, True, True, False, False],
        "rows": lines,
        "note": "",
    }
