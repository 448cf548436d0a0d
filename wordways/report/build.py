"""Builds tables, figures and the page of a report from records alone: deterministic and without torch."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING

from wordways.files import write_atomically
from wordways.record import Record, canonical, read_records
from wordways.report.answers import oracle_table
from wordways.report.baselines import baseline_rows
from wordways.report.card import model_index
from wordways.report.choose import only_metrics, tables_of
from wordways.report.equivalence import equivalence_lines
from wordways.report.escape import csv_of, in_markdown, one_line
from wordways.report.folder import rebuilt
from wordways.report.in_short import Short, in_short
from wordways.report.numbers import data_frame
from wordways.report.oracles import oracle_lines, strangers
from wordways.report.page.build import page_of
from wordways.report.rows import Row, rows_of
from wordways.report.signature import signature

if TYPE_CHECKING:
    from wordways.report.style import Columns


def write_report(results: Path, columns: "Columns" = 2, metrics: Sequence[str] = (), folder: Path | None = None) -> str:
    """Rebuilds the report from the records, in `folder` or <results>/report; returns the text for the terminal.

    metrics: those to report, the headline metric first; all of them where none is named. Raises OSError where the
    folder cannot be written to.
    """
    target = folder or results / "report"
    gc.disable()  # thousands of records hold no cycles, and searching for them takes longer than drawing
    try:
        records, refused = read_records(results)
        records = only_metrics(records, metrics)
        with rebuilt(target) as fresh:
            shown = build(results.resolve().name, records, refused, fresh, columns)
    finally:
        gc.enable()
    return "\n".join([*shown, f"report: {target / 'index.html'}"])


def build(name: str, records: Sequence[Record], refused: Sequence[str], folder: Path, columns: "Columns") -> list[str]:
    """Writes every table, every figure and the page into an empty folder; returns the lines for the terminal."""
    from wordways.report.claims import claims_of
    from wordways.report.plots import save_figures, save_series, save_theory

    rows, shown, page, by_task, found = rows_of(records), [], [f"# {in_markdown(name)}", ""], {}, []
    baselines = baseline_rows(records, rows)
    compared = [*rows, *chain.from_iterable(baselines.values())]
    for task, of_task in groupby(rows, key=lambda row: row.task):
        group = list(of_task)
        trivial = baselines.get(task, [])
        by_task[task] = tables = list(tables_of(group, trivial).values())
        found.append(in_short([*group, *trivial]))
        shown += [*(table.plain() for table in tables[:2]), *map(one_line, found[-1].sentences), ""]
        page += said(found[-1])
        for table in tables:
            table.save(folder)
            page.append(table.markdown())
        page += pictures(save_figures(group, folder, columns, trivial))
    page += pictures(save_series(rows, folder, columns))
    if rows:
        numbers = data_frame(rows)
        write_atomically(folder / "data.csv", csv_of(numbers))
        numbers.to_parquet(folder / "records.parquet", index=False, compression="zstd")
        write_atomically(folder / "model-index.yaml", model_index(rows))
    lines, harness, oracles = oracle_lines(records), equivalence_lines(records), None
    if lines:
        table = replace(oracle_table(lines, harness), signature=signature(rows))
        oracles = (table, lines)
        table.save(folder)
        page.append(f"{table.note} [Line by line](oracles.md).\n")
        page += pictures(save_theory(lines, folder, columns))
        shown.append(table.note)
        for kept, checks in (("oracles", lines), ("equivalence", harness)):
            write_atomically(folder / f"{kept}.jsonl", "".join(canonical(line) + "\n" for line in checks))
    missing = [
        one_line(line)
        for line in [
            *missing_lines(records),
            *uncommitted_lines(compared),
            *strangers(records),
            *(f"not a record: {reason}" for reason in refused),
        ]
    ]
    page += [f"- {in_markdown(line)}" for line in missing]
    write_atomically(folder / "report.md", "\n".join(page) + "\n")
    write_atomically(
        folder / "index.html", page_of(name, rows, found, by_task, oracles, claims_of(compared), missing, baselines)
    )
    return [*shown, *missing]


def said(short: Short) -> list[str]:
    """The findings of a task in Markdown."""
    lines = [f"- {in_markdown(sentence)}" for sentence in short.sentences]
    return [f"## {in_markdown(short.title)}", "", *lines, "", in_markdown(short.setting), ""]


def pictures(captions: Mapping[str, str]) -> list[str]:
    """Figures in Markdown, by file name without extension."""
    return [f"![{text}]({name}.png)\n\n{text}\n" for name, text in captions.items()]


def missing_lines(records: Sequence[Record]) -> list[str]:
    """A line for every failed or skipped run, with the reason."""
    return [
        f"{record.status}: {record.config['preset']}, seed {record.config['seed']}: "
        f"{record.reason.strip().splitlines()[-1]}"
        for record in records
        if record.status != "ok"
    ]


def uncommitted_lines(rows: Sequence[Row]) -> list[str]:
    """A line on the runs whose code or settings no commit holds, so that no one else can repeat them."""
    dirty = [(row.label, record) for row in rows for record in row.records if record.provenance.get("dirty")]
    if not dirty:
        return []
    total, labels = sum(len(row.records) for row in rows), dict.fromkeys(label for label, _ in dirty)
    which = f" ({', '.join(labels)})" if len(dirty) < total else ""
    return [f"uncommitted changes: {len(dirty)} of {total} records{which}"]
