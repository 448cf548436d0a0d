"""A results folder in, tables and figures out: a pure function of records, without torch."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from wordways.contrasts import contrast_table
from wordways.efficiency import efficiency_table
from wordways.folder import rebuilt
from wordways.oracles import oracle_lines
from wordways.page import page_of
from wordways.record import ARCHIVE, Record, canonical, holds_records, pack, read_records, write_atomically
from wordways.rows import rows_of
from wordways.signature import signature
from wordways.tables import (
    Table,
    budget_table,
    data_frame,
    law_table,
    likelihood_table,
    missing_lines,
    oracle_table,
    quality_table,
    speed_table,
)


def write_report(results: Path) -> str:
    """Rebuilds <results>/report from the records; returns what a terminal should show."""
    records, refused = read_records(results)
    with rebuilt(results / "report") as folder:
        shown = build(results.resolve().name, records, refused, folder)
    return "\n".join([*shown, f"report: {results / 'report' / 'index.html'}"])


def build(name: str, records: Sequence[Record], refused: Sequence[str], folder: Path) -> list[str]:
    """Writes every table, every figure and the page into an empty folder; returns what a terminal should show."""
    from wordways.claims import claims_of
    from wordways.plots import save_figures, save_series

    rows, shown, page, by_task = rows_of(records), [], [f"# {name}", ""], {}
    for task, of_task in groupby(rows, key=lambda row: row.task):
        group = list(of_task)
        made = [quality_table(group), speed_table(group), contrast_table(group)]
        made += [likelihood_table(group), law_table(group), budget_table(group), efficiency_table(group)]
        tables = [replace(table, signature=signature(group)) for table in made if table is not None]
        by_task[task] = tables
        shown += [table.plain() for table in tables[:2]]
        for table in tables:
            save_table(table, folder)
            page.append(table.markdown())
        page += [f"![{text}]({name}.png)\n\n{text}\n" for name, text in save_figures(group, folder).items()]
    page += [f"![{text}]({name}.png)\n\n{text}\n" for name, text in save_series(rows, folder).items()]
    if rows:
        write_atomically(folder / "data.csv", data_frame(rows).to_csv(index=False))
    lines = oracle_lines(records)
    if lines:
        table = replace(oracle_table(lines), signature=signature(rows))
        save_table(table, folder)
        page.append(table.markdown())
        shown.append(table.note)
        write_atomically(folder / "oracles.jsonl", "".join(canonical(line) + "\n" for line in lines))
    missing = missing_lines(records) + [f"not a record: {reason}" for reason in refused]
    page += [f"- {line}" for line in missing]
    write_atomically(folder / "report.md", "\n".join(page) + "\n")
    oracles = (oracle_table(lines), lines) if lines else None
    write_atomically(folder / "index.html", page_of(name, rows, by_task, oracles, claims_of(rows), missing))
    return [*shown, *missing]


def save_table(table: Table, folder: Path) -> None:
    write_atomically(folder / f"{table.name}.md", table.markdown())
    write_atomically(folder / f"{table.name}.tex", table.latex())
    write_atomically(folder / f"{table.name}.csv", table.frame.to_csv(index=False))


def main() -> None:
    """The `wordways-report` command."""
    parser = argparse.ArgumentParser(
        prog="wordways-report", description="Rebuilds tables and figures from records alone."
    )
    parser.add_argument("results", type=Path, help="a results folder: the one that holds cells/")
    parser.add_argument(
        "--oracles", action="store_true", help="print a JSON line for each cell that has an exact answer"
    )
    parser.add_argument("--pack", action="store_true", help=f"move the records into {ARCHIVE}, a hundredth of the size")
    arguments = parser.parse_args()
    if hasattr(signal, "SIGPIPE"):  # not on Windows
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough is no error
    if not holds_records(arguments.results):
        print(f"wordways-report: {arguments.results}: holds no cells folder", file=sys.stderr)
        sys.exit(2)
    if arguments.pack:
        print(pack(arguments.results))
        return
    if arguments.oracles:
        for line in oracle_lines(read_records(arguments.results)[0]):
            print(json.dumps(line, sort_keys=False))
    else:
        print(write_report(arguments.results))


if __name__ == "__main__":
    main()
