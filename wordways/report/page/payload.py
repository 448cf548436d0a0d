"""All data of the page as one JSON object: numbers are rounded, texts stay as the records hold them."""

from collections.abc import Mapping, Sequence
from typing import Any

from wordways.report.in_short import Short
from wordways.report.page.configurations import (
    Settings,
    baseline_entries,
    column_entries,
    row_entries,
    speed_headings,
)
from wordways.report.page.curves import curves
from wordways.report.page.orders import orders
from wordways.report.page.players import players
from wordways.report.page.samples import samples
from wordways.report.page.tables import HEADLINE, further_tables, notes, oracle_entry, provenance, table_entry
from wordways.report.rows import Row, colours
from wordways.report.sweeps import in_sweeps
from wordways.report.table import Table


def payload(
    title: str,
    rows: Sequence[Row],
    short: Sequence[Short],
    tables: Mapping[str, Sequence[Table]],
    oracles: tuple[Table, Sequence[Mapping[str, Any]]] | None,
    claims: Sequence[Table],
    missing: Sequence[str],
    baselines: Mapping[str, Sequence[Row]],
    bibtex: str,
) -> dict[str, Any]:
    """tables, baselines: by task, quality and speed first; oracles: the table and the lines it was made from."""
    groups = {task: [row for row in rows if row.task == task] for task in dict.fromkeys(row.task for row in rows)}
    rows = [row for group in groups.values() for row in group]
    settings = Settings()
    shown = row_entries(groups, settings)
    mark(shown, tables)
    join(shown, groups)
    for entry, found in zip(shown, orders(rows), strict=True):
        entry["order"] = found
    beside = baseline_entries(baselines, groups, settings)
    return {
        "title": title,
        "short": {one.task: {"sentences": one.sentences, "setting": one.setting} for one in short},
        "devices": numbered([*shown, *beside], "device"),
        "baselines": beside,
        "tasks": list(groups),
        "titles": {task: group[0].title for task, group in groups.items()},
        "colours": colours([row.paradigm for row in rows]),
        "columns": {task: column_entries(group) for task, group in groups.items()},
        "headings": speed_headings(groups),
        "settings": {"names": settings.names, "values": settings.values},
        "rows": shown,
        "notes": {task: notes(*of_task[:HEADLINE]) for task, of_task in tables.items()},
        "players": players(groups),
        "curves": curves(rows),
        "samples": samples(rows, groups),
        "oracles": oracle_entry(oracles, rows),
        "claims": [table_entry(table) for table in claims],
        "tables": further_tables(tables, {row.task for row in rows if row.machines > 1}),
        "missing": list(missing),
        "provenance": provenance(rows),
        "bibtex": bibtex,
    }


def numbered(entries: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """The different values under a name; the entries then hold their numbers, since most values are the same."""
    found = {value: number for number, value in enumerate(dict.fromkeys(entry[name] for entry in entries))}
    for entry in entries:
        entry[name] = found[entry[name]]
    return list(found)


def join(shown: Sequence[dict[str, Any]], groups: Mapping[str, Sequence[Row]]) -> None:
    """Gives configurations that differ in one number, which charts join, the number of their line and their place."""
    entries = iter(shown)
    for group in groups.values():
        places = {
            id(row): {"line": number, "place": place}
            for number, sweep in enumerate(in_sweeps(group))
            for place, row in enumerate(sweep.rows)
            if len(sweep.rows) > 1
        }
        for row, entry in zip(group, entries, strict=False):
            entry |= places.get(id(row), {})


def mark(shown: Sequence[dict[str, Any]], tables: Mapping[str, Sequence[Table]]) -> None:
    """Marks the best configurations, those not significantly different, and muted ones as their quality table does."""
    for task, (quality, *_) in tables.items():
        of_task = [entry for entry in shown if entry["task"] == task]
        for (line, column), sort in quality.marks.items():
            if sort and line < len(of_task):  # the lines of baselines and of the reference stand last
                of_task[line]["marks"][str(quality.frame.columns[column])] = sort
        for line in quality.muted:
            if line < len(of_task):
                of_task[line]["muted"] = True
