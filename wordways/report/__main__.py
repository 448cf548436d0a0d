"""The `wordways-report` command, also `python -m wordways.report`: builds and compares reports."""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import NoReturn

from wordways.command import interruptible
from wordways.record import ARCHIVE, holds_records, pack, read_records, write_atomically
from wordways.report.build import write_report
from wordways.report.compare import compare
from wordways.report.escape import in_markdown
from wordways.report.oracles import oracle_lines
from wordways.report.speed_ratios import speed_ratios


def main() -> None:
    """Exits with status 2 and one line where the arguments are wrong."""
    parser = argparse.ArgumentParser(
        prog="wordways-report",
        description="Rebuilds tables, figures and page of a results folder from its records, or compares two folders.",
    )
    parser.add_argument(
        "results",
        type=Path,
        nargs="+",
        help=f"a results folder, the one that contains cells/ or {ARCHIVE}; with two, prints what changed between them",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="with two folders, also write the comparison as CSV, and the ratios of speed to FILE_ratios.csv",
    )
    parser.add_argument(
        "--columns", type=int, choices=(1, 2), default=2, help="width of the figures in columns of a two-column page"
    )
    parser.add_argument(
        "--oracles", action="store_true", help="print one JSON line per measurement that has an analytic value"
    )
    parser.add_argument(
        "--pack", action="store_true", help=f"move the records into {ARCHIVE}, about a hundredth of their size"
    )
    parser.add_argument(
        "--migrate", action="store_true", help="rewrite records of schema 1 as schema 2, under their new names"
    )
    arguments = parser.parse_args()
    if hasattr(signal, "SIGPIPE"):  # not on Windows
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that closes the pipe early is no error
    folders = arguments.results
    if len(folders) > 2:
        refuse(f"{len(folders)} results folders given: one or two are allowed")
    if arguments.out and len(folders) < 2:
        refuse(f"--out {arguments.out}: allowed only with two results folders")
    for folder in folders:
        if not holds_records(folder):
            refuse(f"{folder}: holds no cells folder")
    with interruptible("wordways-report"):
        for line in answer(arguments):
            print(line)


def answer(asked: argparse.Namespace) -> list[str]:
    """Does what was asked for and returns the lines to print."""
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
    """The changes between two folders, and between their ratios of speed, as Markdown; as CSV to `out`, if given."""
    read = [read_records(folder) for folder in (a, b)]
    table, only = compare(read[0][0], read[1][0])
    speeds = speed_ratios(read[0][0], read[1][0])
    if out is not None:
        write_atomically(out, table.frame.to_csv(index=False))
        if speeds is not None:
            write_atomically(out.with_stem(f"{out.stem}_ratios"), speeds.frame.to_csv(index=False))
    tables = [one.markdown() for one in (table, speeds) if one is not None]
    only += [f"not a record: {reason}" for _, refused in read for reason in refused]
    return "\n".join([f"A: {a}, B: {b}", "", *tables, *(f"- {in_markdown(line)}" for line in only)])


def refuse(reason: str) -> NoReturn:
    print(f"wordways-report: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
