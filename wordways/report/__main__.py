"""The `wordways-report` command, also `python -m wordways.report`: builds and compares reports."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, get_args

from wordways.archive import ARCHIVE, DamagedError
from wordways.command import interruptible, print_anywhere
from wordways.files import clear_stale, write_atomically
from wordways.record import Record, holds_records, pack, read_records
from wordways.report.baselines import baseline_rows
from wordways.report.build import write_report
from wordways.report.choose import Choice, ChoiceError, Labels, chosen, only_metrics, patterns
from wordways.report.compare import compare
from wordways.report.escape import in_markdown, one_line
from wordways.report.folder import has_other_files
from wordways.report.merge import merge
from wordways.report.oracles import oracle_lines
from wordways.report.rows import rows_of
from wordways.report.speed_ratios import speed_ratios
from wordways.report.table import Table

FORMATS: Mapping[str, Callable[[Table], str]] = {
    "latex": Table.latex,
    "markdown": Table.markdown,
    "csv": Table.csv,
    "plain": Table.plain,
}
ONLY_WITH_TABLE = {
    "task": None, "rows": None, "columns": None, "label_from": "titles", "caption": "full", "transpose": False,
    "format": "latex",
}  # fmt: skip


def main() -> None:
    """Exits with status 2 and one line where the arguments are wrong."""
    print_anywhere()
    parser = argparse.ArgumentParser(
        prog="wordways-report",
        description="Rebuilds tables, figures and page of a folder from its records; compares or merges folders.",
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
        metavar="PATH",
        help="the folder to build the report in, if not report/ of the results; with two folders, a file: also write "
        "the comparison as CSV, and the ratios of speed to a file with _ratios in its name",
    )
    parser.add_argument(
        "--width", type=int, choices=(1, 2), default=2, help="width of the figures in columns of a two-column page"
    )
    parser.add_argument(
        "--metrics", metavar="NAMES", help="report only these metrics, in this order: the first is the headline metric"
    )
    asked = parser.add_argument_group("one table", "Prints a table as a paper wants it, and builds nothing.")
    asked.add_argument("--table", metavar="NAME", help="quality, speed, metrics or another table of the report")
    asked.add_argument("--task", metavar="NAME", help="the task, as in the report's file names; needed for several")
    asked.add_argument(
        "--rows",
        metavar="PATTERNS",
        help="labels, presets or paradigms in the wanted order, such as 'AR,diffusion*' or 'AR=causal LM'",
    )
    asked.add_argument(
        "--columns",
        metavar="PATTERNS",
        help="headings in the wanted order, also of the task's other tables, such as 'all=accuracy,latency'",
    )
    asked.add_argument("--label-from", choices=get_args(Labels), default="titles", help="what rows are called")
    asked.add_argument("--caption", choices=("short", "full"), default="full", help="short leaves the notes out")
    asked.add_argument("--transpose", action="store_true", help="columns as lines")
    asked.add_argument("--format", choices=tuple(FORMATS), default="latex", help="of the printed table")
    parser.add_argument(
        "--oracles", action="store_true", help="print one JSON line per measurement that has an analytic value"
    )
    parser.add_argument(
        "--pack", action="store_true", help=f"move the records into {ARCHIVE}, about a hundredth of their size"
    )
    parser.add_argument(
        "--migrate", action="store_true", help="rewrite records of schema 1 as schema 2, under their new names"
    )
    parser.add_argument(
        "--merge", type=Path, metavar="OUT", help="make OUT one folder of all, with the commands and records of each"
    )
    arguments = parser.parse_args()
    if hasattr(signal, "SIGPIPE"):  # not on Windows
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that closes the pipe early is no error
    check_arguments(arguments)
    with interruptible("wordways-report"):
        try:
            for folder in arguments.results:
                clear_stale(folder)
            for line in answer(arguments):
                print(line)
        except (ChoiceError, DamagedError) as error:
            refuse(str(error))
        except OSError as error:
            place = arguments.merge or arguments.out or arguments.results[0]
            refuse(f"{place}: cannot be written to ({error.strerror}); --out names another place for a report")


def check_arguments(asked: argparse.Namespace) -> None:
    """Ends the command where options do not fit each other, or where a folder holds no records."""
    folders = asked.results
    if len(folders) > 2 and not asked.merge:
        refuse(f"{len(folders)} results folders given: one or two are allowed, more only with --merge")
    for name, default in ONLY_WITH_TABLE.items():
        if not asked.table and getattr(asked, name) != default:
            refuse(f"--{name.replace('_', '-')} {getattr(asked, name)}: allowed only with --table")
    alone = {"merge": asked.merge, "out": asked.out if len(folders) == 1 else None}
    for option, value in alone.items():
        for name in ("table", "pack", "migrate", "oracles", "out"):
            if value and name != option and getattr(asked, name):
                refuse(f"--{option} {value}: not allowed with --{name}")
    if alone["out"] and has_other_files(asked.out):
        refuse(f"--out {asked.out}: has other files and no report; name an empty folder")
    for folder in folders:
        if not holds_records(folder):
            refuse(f"{folder}: holds no cells folder")


def answer(asked: argparse.Namespace) -> list[str]:
    """Does what was asked for and returns the lines to print."""
    folder, *other = asked.results
    if asked.merge:
        return merge(asked.results, asked.merge)
    if other:
        return [write_comparison(folder, other[0], asked.out)]
    if asked.pack:
        return [str(pack(folder))]
    if asked.migrate:
        from wordways.migrate import migrate  # composes every preset, which no report needs

        return [migrate(folder)]
    if asked.oracles:
        return [json.dumps(line, sort_keys=False) for line in oracle_lines(records_of(folder))]
    metrics = [name.strip() for name in (asked.metrics or "").split(",") if name.strip()]
    if asked.table:
        return [one_table(only_metrics(records_of(folder), metrics), asked)]
    return [write_report(folder, asked.width, metrics, asked.out)]


def records_of(folder: Path) -> list[Record]:
    """The records of a folder; says on the error stream which files are none."""
    records, refused = read_records(folder)
    for reason in refused:
        print(one_line(f"wordways-report: not a record: {reason}"), file=sys.stderr)
    return records


def one_table(records: Sequence[Record], asked: argparse.Namespace) -> str:
    """The table that was asked for, as text. Raises ChoiceError for a task that is not there or not named."""
    rows = rows_of(records)
    tasks = list(dict.fromkeys(row.task for row in rows))
    task = asked.task or (tasks[0] if len(tasks) == 1 else "")
    if task not in tasks:
        raise ChoiceError(f"--task {asked.task or '(none)'}: must be one of {', '.join(tasks) or '(no runs)'}")
    choice = Choice(
        asked.table, patterns(asked.rows or ""), patterns(asked.columns or ""), asked.label_from,
        asked.caption == "short", asked.transpose,
    )  # fmt: skip
    own = [row for row in rows if row.task == task]
    return FORMATS[asked.format](chosen(own, baseline_rows(records, own).get(task, []), choice))


def write_comparison(a: Path, b: Path, out: Path | None) -> str:
    """The changes between two folders, and between their ratios of speed, as Markdown; as CSV to `out`, if given."""
    read = [read_records(folder) for folder in (a, b)]
    table, only = compare(read[0][0], read[1][0])
    speeds = speed_ratios(read[0][0], read[1][0])
    if out is not None:
        write_atomically(out, table.csv())
        if speeds is not None:
            write_atomically(out.with_stem(f"{out.stem}_ratios"), speeds.csv())
    tables = [one.markdown() for one in (table, speeds) if one is not None]
    only += [f"not a record: {reason}" for _, refused in read for reason in refused]
    return "\n".join([f"A: {a}, B: {b}", "", *tables, *(f"- {in_markdown(line)}" for line in only)])


def refuse(reason: str) -> NoReturn:
    print(f"wordways-report: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
