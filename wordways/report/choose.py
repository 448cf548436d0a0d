"""One table of a report as a paper wants it: rows and columns chosen, ordered and renamed, with a short caption."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from wordways.labels import spoken
from wordways.record import Record
from wordways.report.kinds import kinds, rows_for
from wordways.report.rows import Row
from wordways.report.signature import signature
from wordways.report.table import Table

Labels = Literal["titles", "presets", "paradigms"]
LABELS: Mapping[Labels, Callable[[Row], str]] = {
    "titles": lambda row: row.label,
    "presets": lambda row: row.first().config["preset"],
    "paradigms": lambda row: spoken(row.paradigm),
}


class ChoiceError(ValueError):
    """What was asked for does not exist; the message names the option, the value and what there is."""


@dataclass(frozen=True)
class Choice:
    """rows, columns: patterns in the order wanted, each with its new name or none; empty for all."""

    table: str
    rows: Sequence[tuple[str, str]] = ()
    columns: Sequence[tuple[str, str]] = ()
    labels: Labels = "titles"
    short: bool = False
    transposed: bool = False


def only_metrics(records: Sequence[Record], metrics: Sequence[str]) -> list[Record]:
    """Records with these metrics in this order, all of them where none is named. Raises ChoiceError for one unknown."""
    there = list(dict.fromkeys(name for record in records for name in record.scores))
    for name in metrics:
        if name not in there:
            raise ChoiceError(f"--metrics {name}: must be among {', '.join(there)}")
    if not metrics:
        return list(records)
    return [
        replace(record, scores={name: record.scores[name] for name in metrics if name in record.scores})
        for record in records
        if record.status != "ok" or set(metrics) & record.scores.keys()
    ]


def patterns(text: str) -> list[tuple[str, str]]:
    """`AR=causal,diffusion*` as [("AR", "causal"), ("diffusion*", "")]."""
    pairs = [part.partition("=")[::2] for part in text.split(",") if part.strip()]
    return [(pattern.strip(), name.strip()) for pattern, name in pairs]


def tables_of(rows: Sequence[Row], baselines: Sequence[Row]) -> dict[str, Table]:
    """Every table of a task by its name."""
    found = {}
    for kind in kinds("tables"):
        table = kind.table(rows_for(kind, rows, baselines))
        if table is not None:
            found[kind.__name__.rpartition(".")[2]] = replace(table, signature=signature(rows))
    return found


def chosen(rows: Sequence[Row], baselines: Sequence[Row], asked: Choice) -> Table:
    """The table of one task. A column that it lacks is taken from the task's other tables. Raises ChoiceError."""
    tables = tables_of(rows, baselines)
    if asked.table not in tables:
        raise ChoiceError(f"--table {asked.table}: {rows[0].title} has {', '.join(tables)}")
    table = tables[asked.table]
    if asked.columns:
        table = with_columns(table, [other for other in tables.values() if other.name != table.name], asked.columns)
    if asked.rows or asked.labels != "titles":
        table = with_rows(table, [*rows, *baselines], asked)
    if asked.short:
        table = replace(table, note="", details="")
    return table.transposed() if asked.transposed else table


def with_rows(table: Table, rows: Sequence[Row], asked: Choice) -> Table:
    """The lines whose label, preset or paradigm matches, in the order of the patterns."""
    names = list(table.frame.iloc[:, 0])
    known = {row.label: row for row in rows}

    def names_of(label: str) -> list[str]:
        row = known.get(label)
        return [label] if row is None else [label, row.first().config["preset"], row.paradigm]

    places: dict[int, str] = {}
    for pattern, name in asked.rows or [("*", "")]:
        found = [line for line, label in enumerate(names) if any(fnmatchcase(one, pattern) for one in names_of(label))]
        if not found:
            raise ChoiceError(f"--rows {pattern}: no row of {table.title!r}; it has {', '.join(names)}")
        for line in found:
            row = known.get(names[line])
            places.setdefault(line, name or (LABELS[asked.labels](row) if row is not None else names[line]))
    return table.with_lines(list(places), list(places.values()))


def with_columns(table: Table, others: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> Table:
    """The columns that match, in the order of the patterns; a pattern without signs stands for what begins with it."""
    labels, picked = [str(label) for label in table.frame.iloc[:, 0]], table.with_columns([], [])
    for pattern, name in wanted:
        own = matching(table, pattern)
        if own:
            picked = picked.joined(table.with_columns(own, [name] * len(own)))
            continue
        source = next((other for other in others if matching(other, pattern)), None)
        if source is None:
            there = ", ".join(str(head) for one in (table, *others) for head in one.frame.columns[1:])
            raise ChoiceError(f"--columns {pattern}: no column of this task's tables; there are {there}")
        lines = {str(label): line for line, label in enumerate(source.frame.iloc[:, 0])}
        found = source.with_columns(matching(source, pattern), [name] * len(matching(source, pattern)))
        picked = picked.joined(found.with_lines([lines.get(label) for label in labels], labels))
    return picked


def matching(table: Table, pattern: str) -> list[int]:
    """The places of the columns whose heading matches a pattern, or begins with it."""
    heads = [str(head) for head in table.frame.columns]
    return [i for i, head in enumerate(heads) if i and (fnmatchcase(head, pattern) or head.startswith(pattern))]
