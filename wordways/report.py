"""A results folder in, tables and figures out: a pure function of records, without torch."""

import argparse
import json
import signal
import sys
from itertools import groupby
from pathlib import Path

from wordways.contrasts import contrast_table
from wordways.efficiency import efficiency_table
from wordways.oracles import oracle_lines
from wordways.page import page_of
from wordways.record import ARCHIVE, canonical, holds_records, pack, read_records, write_atomically
from wordways.rows import rows_of
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
    from wordways.claims import claims_of
    from wordways.plots import save_figures, save_series

    records, refused = read_records(results)
    folder, shown, page = results / "report", [], [f"# {results.name}", ""]
    rows, below = rows_of(records), {}
    for _, of_task in groupby(rows, key=lambda row: row.task):
        group = list(of_task)
        headline = [quality_table(group), speed_table(group)]
        shown += [table.plain() for table in headline]
        contrasts = contrast_table(group)
        others = (contrasts, likelihood_table(group), law_table(group), budget_table(group), efficiency_table(group))
        below[group[0].task] = [table for table in others if table is not None]
        for table in (*headline, *below[group[0].task]):
            save_table(table, folder)
            page.append(table.markdown())
        page += [f"![{text}]({name}.png)\n\n{text}\n" for name, text in save_figures(group, folder).items()]
    page += [f"![{text}]({name}.png)\n\n{text}\n" for name, text in save_series(rows, folder).items()]
    if rows:
        write_atomically(folder / "data.csv", data_frame(rows).to_csv(index=False))
    lines = oracle_lines(records)
    if lines:
        table = oracle_table(lines)
        save_table(table, folder)
        page.append(table.markdown())
        shown.append(table.note)
        write_atomically(folder / "oracles.jsonl", "".join(canonical(line) + "\n" for line in lines))
    missing = missing_lines(records) + [f"not a record: {reason}" for reason in refused]
    page += [f"- {line}" for line in missing]
    write_atomically(folder / "report.md", "\n".join(page) + "\n")
    oracles = (oracle_table(lines), lines) if lines else None
    html = page_of(results.resolve().name, rows, below, oracles, claims_of(rows), missing)
    write_atomically(folder / "index.html", html)
    return "\n".join([*shown, *missing, f"report: {folder / 'report.md'}"])


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
