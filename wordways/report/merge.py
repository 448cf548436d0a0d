"""Merges results folders into one: equal runs once, runs of which machines have different numbers side by side.

Nothing is chosen between numbers. Of a run that several folders hold with different scores, or with timings of their
own, every record is kept: the first under the run's name, each other one with a mark of its content behind the name.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from wordways.archive import archived
from wordways.files import temporary_prefix, write_atomically
from wordways.history import commands_of, history_file, write_commands
from wordways.record import (
    Record,
    copied,
    loose,
    read_records,
    same_numbers,
    write_record,
)
from wordways.report.choose import ChoiceError
from wordways.report.escape import one_line

SOURCES = "merge.yaml"  # in a merged folder, the folders that it was made of


def merge(folders: Sequence[Path], out: Path) -> list[str]:
    """Makes `out` the merge of the folders, all of it or nothing; returns what was kept and what was left out.

    Raises ChoiceError, and changes nothing, where `out` holds anything but an earlier merge of the same folders.
    """
    sources = [str(folder.resolve()) for folder in folders]
    read = [read_records(folder) for folder in folders]
    runs: dict[str, list[Record]] = {}
    for records, _ in read:
        for record in sorted(records, key=lambda record: record.copy):
            runs.setdefault(record.cell, []).append(record)
    kept = {cell: distinct(records) for cell, records in runs.items()}
    made = [one for records in kept.values() for one in marked(records)]
    check_out(out, sources, {record.name for record in made})
    commands = [entry for folder in folders for entry in entries_of(folder)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=temporary_prefix(out.name)) as room:
        fresh = Path(room) / "fresh"
        (fresh / "cells").mkdir(parents=True)
        for record in made:
            write_record(fresh, record)
        write_commands(fresh, [one for i, one in enumerate(commands) if one not in commands[:i]])
        write_atomically(fresh / SOURCES, yaml.safe_dump(sources, sort_keys=False, width=200))
        if (out / "report").is_dir():
            shutil.copytree(out / "report", fresh / "report")
        if out.exists():
            os.rename(out, Path(room) / "before")
        os.rename(fresh, out)
    both = zip(folders, read, strict=True)
    refused = [one_line(f"not a record: {folder}: {line}") for folder, (_, lines) in both for line in lines]
    return [summary(out, len(folders), kept), *refused]


def distinct(records: Sequence[Record]) -> list[Record]:
    """The records of one run that say something of their own; of runs that failed somewhere, those that did not."""
    done = [record for record in records if record.status == "ok"] or records[:1]
    found: list[Record] = []
    for record in sorted(done, key=lambda record: not record.timing):
        if not any(same_numbers(record, other) for other in found):
            found.append(record)
    return found


def marked(records: Sequence[Record]) -> list[Record]:
    """The records of one run with names of their own."""
    plain = [replace(record, copy="") for record in records]
    return [*plain[:1], *map(copied, plain[1:])]


def check_out(out: Path, sources: Sequence[str], names: set[str]) -> None:
    """Raises ChoiceError unless the folder is missing, empty, or an earlier merge of these folders."""
    if str(out.resolve()) in sources:
        raise ChoiceError(f"--merge {out}: must not be one of the folders that are merged")
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir() or load_yaml(out / SOURCES) != sources:
        raise ChoiceError(f"--merge {out}: holds something else; name an empty folder, or a merge of the same folders")
    own = sorted({*loose(out), *archived(out)} - {f"{name}.json" for name in names})
    if own:
        raise ChoiceError(f"--merge {out}: has {len(own)} records that none of these folders has, such as {own[0]}")


def entries_of(folder: Path) -> list[Any]:
    """The commands that made a folder. Raises ChoiceError where its list of them is damaged."""
    try:
        return commands_of(folder)
    except ValueError as error:
        raise ChoiceError(f"{history_file(folder)}: {error}") from None


def load_yaml(path: Path) -> Any:
    """The content of a file; None where there is none, a text where it is no YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        return str(error)


def summary(out: Path, folders: int, kept: dict[str, list[Record]]) -> str:
    """How many runs there are, and of how many of these machines differ in scores, or have timings of their own."""
    several = [records for records in kept.values() if len(records) > 1]
    differ = sum(any(other.scores != own.scores for other in others) for own, *others in several)
    return (
        f"{out}: {len(kept)} runs of {folders} folders; {differ} with different scores side by side, "
        f"{len(several) - differ} with equal scores and several timings"
    )
