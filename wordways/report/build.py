"""A results folder in, tables and figures out: a pure function of records, without torch."""

import argparse
import gc
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from wordways.command import interruptible
from wordways.record import ARCHIVE, Record, canonical, holds_records, pack, read_records, write_atomically
from wordways.report.answers import oracle_table
from wordways.report.card import model_index
from wordways.report.compare import compare
from wordways.report.escape import in_markdown, one_line
from wordways.report.folder import rebuilt
from wordways.report.kinds import kinds
from wordways.report.numbers import data_frame
from wordways.report.oracles import oracle_lines, strangers
from wordways.report.page.build import page_of
from wordways.report.rows import rows_of
from wordways.report.signature import signature

if TYPE_CHECKING:
    from wordways.report.style import Columns


def write_report(results: Path, columns: "Columns" = 2) -> str:
    """Rebuilds <results>/report from the records; returns what a terminal should show."""
    gc.disable()  # thousands of records hold no cycles: looking for them takes longer than drawing
    try:
        records, refused = read_records(results)
        with rebuilt(results / "report") as folder:
            shown = build(results.resolve().name, records, refused, folder, columns)
    finally:
        gc.enable()
    return "\n".join([*shown, f"report: {results / 'report' / 'index.html'}"])


def build(name: str, records: Sequence[Record], refused: Sequence[str], folder: Path, columns: "Columns") -> list[str]:
    """Writes every table, every figure and the page into an empty folder; returns what a terminal should show."""
    from wordways.report.claims import claims_of
    from wordways.report.plots import save_figures, save_series

    rows, shown, page, by_task = rows_of(records), [], [f"# {in_markdown(name)}", ""], {}
    for task, of_task in groupby(rows, key=lambda row: row.task):
        group = list(of_task)
        made = [kind.table(group) for kind in kinds("tables")]
        tables = [replace(table, signature=signature(group)) for table in made if table is not None]
        by_task[task] = tables
        shown += [table.plain() for table in tables[:2]]
        for table in tables:
            table.save(folder)
            page.append(table.markdown())
        page += [f"![{text}]({name}.png)\n\n{text}\n" for name, text in save_figures(group, folder, columns).items()]
    page += [f"![{text}]({name}.png)\n\n{text}\n" for name, text in save_series(rows, folder, columns).items()]
    if rows:
        numbers = data_frame(rows)
        write_atomically(folder / "data.csv", numbers.to_csv(index=False))
        numbers.to_parquet(folder / "records.parquet", index=False, compression="zstd")
        write_atomically(folder / "model-index.yaml", model_index(rows))
    lines, oracles = oracle_lines(records), None
    if lines:
        table = replace(oracle_table(lines), signature=signature(rows))
        oracles = (table, lines)
        table.save(folder)
        page.append(f"{table.note} [Line by line](oracles.md).\n")
        shown.append(table.note)
        write_atomically(folder / "oracles.jsonl", "".join(canonical(line) + "\n" for line in lines))
    missing = [
        one_line(line)
        for line in missing_lines(records) + strangers(records) + [f"not a record: {reason}" for reason in refused]
    ]
    page += [f"- {in_markdown(line)}" for line in missing]
    write_atomically(folder / "report.md", "\n".join(page) + "\n")
    write_atomically(folder / "index.html", page_of(name, rows, by_task, oracles, claims_of(rows), missing))
    return [*shown, *missing]


def missing_lines(records: Sequence[Record]) -> list[str]:
    """A line for every run without numbers, with its reason."""
    return [
        f"{record.status}: {record.config['preset']}, seed {record.config['seed']}: "
        f"{record.reason.strip().splitlines()[-1]}"
        for record in records
        if record.status != "ok"
    ]


def main() -> None:
    """The `wordways-report` command."""
    parser = argparse.ArgumentParser(
        prog="wordways-report", description="Rebuilds tables and figures from records alone."
    )
    parser.add_argument(
        "results", type=Path, nargs="+", help="a results folder: the one that holds cells/; of two, what moved"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="of two folders: the comparison as CSV")
    parser.add_argument("--columns", type=int, choices=(1, 2), default=2, help="a page's, that figures are as wide as")
    parser.add_argument(
        "--oracles", action="store_true", help="print a JSON line for each cell that has an exact answer"
    )
    parser.add_argument("--pack", action="store_true", help=f"move the records into {ARCHIVE}, a hundredth of the size")
    parser.add_argument(
        "--migrate", action="store_true", help="rewrite records of schema 1 under their names of schema 2"
    )
    arguments = parser.parse_args()
    if hasattr(signal, "SIGPIPE"):  # not on Windows
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough is no error
    folders = arguments.results
    if len(folders) > 2 or (arguments.out and len(folders) < 2):
        refuse("one folder, or two and --out FILE")
    for folder in folders:
        if not holds_records(folder):
            refuse(f"{folder}: holds no cells folder")
    with interruptible("wordways-report"):
        for line in answer(arguments):
            print(line)


def answer(asked: argparse.Namespace) -> list[str]:
    """What is to be printed; what is to be written has been."""
    folder, *other = asked.results
    if other:
        return [write_comparison(folder, other[0], asked.out)]
    if asked.pack:
        return [str(pack(folder))]
    if asked.migrate:
        from wordways.migrate import migrate  # composes every preset, which no report needs

        return [migrate(folder)]
    if asked.oracles:
        return [json.dumps(line, sort_keys=False) for line in oracle_lines(read_records(folder)[0])]
    return [write_report(folder, asked.columns)]


def write_comparison(a: Path, b: Path, out: Path | None) -> str:
    """Markdown: what moved between two folders; the same as CSV into `out`."""
    read = [read_records(folder) for folder in (a, b)]
    table, only = compare(read[0][0], read[1][0])
    if out is not None:
        write_atomically(out, table.frame.to_csv(index=False))
    only += [f"not a record: {reason}" for _, refused in read for reason in refused]
    return "\n".join([f"A: {a}, B: {b}", "", table.markdown(), *(f"- {in_markdown(line)}" for line in only)])


def refuse(reason: str) -> NoReturn:
    print(f"wordways-report: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
