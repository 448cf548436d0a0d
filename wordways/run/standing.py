"""What a cell's record says of it, read once a process as long as its file stays the same."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wordways.archive import ARCHIVE
from wordways.record import record_named
from wordways.run.cell import Cell
from wordways.texts import texts_file

AGAIN = {"missing": (), "timing": (), "failed": ("failed",), "always": ("ok", "skipped", "failed")}
"""The records that `overwrite` replaces, by their status."""


@dataclass(frozen=True)
class Standing:
    """Of a cell that has a record. timed: whether it has timings, or was timed without any.  written: when, in ns."""

    status: str
    timed: bool
    written: int


def standing(cell: Cell) -> Standing | None:
    """Of the first complete record under any of a cell's names; None if there is none."""
    return standing_of(cell.run.results, cell.names)


def standing_of(results: str, names: tuple[str, ...]) -> Standing | None:
    for name in names:
        for path in (Path(results, "cells", f"{name}.json"), Path(results, ARCHIVE)):
            try:
                state = path.stat()
            except OSError:
                continue
            found = read(results, name, path.name, state.st_mtime_ns, state.st_size, state.st_ino)
            if found is not None:
                return found
    return None


@lru_cache(maxsize=200_000)
def read(results: str, name: str, _file: str, written: int, _size: int, _inode: int) -> Standing | None:
    """The last four tell whether the file that holds the record, or would, is still the same."""
    try:
        record = record_named(Path(results), f"{name}.json")
    except ValueError:
        return None
    return Standing(record.status, record.is_timed, written)


def is_kept(cell: Cell) -> bool:
    """Whether a cell has a record that `overwrite` does not replace."""
    return keeps(cell, standing(cell))


def texts_due(cell: Cell, status: str, name: str) -> bool:
    """Whether the texts of a record of this status and name are to be kept and are not there."""
    return status == "ok" and cell.measure.keep == "all" and not texts_file(Path(cell.run.results), name).is_file()


def is_complete(cell: Cell) -> bool:
    """Whether a cell has a record that is kept, and its texts where they are asked for."""
    return completes(cell, standing(cell))


def awaits_timing(cell: Cell) -> bool:
    """Whether a cell has been scored and has not been timed, or is to be timed again."""
    return lacks_timing(cell, standing(cell))


def is_finished(cell: Cell) -> bool:
    """Whether nothing of a cell is left to do."""
    found = standing(cell)
    return completes(cell, found) and not lacks_timing(cell, found)


def keeps(cell: Cell, found: Standing | None) -> bool:
    return found is not None and found.status not in AGAIN[cell.run.overwrite]


def completes(cell: Cell, found: Standing | None) -> bool:
    return found is not None and keeps(cell, found) and not texts_due(cell, found.status, cell.id)


def lacks_timing(cell: Cell, found: Standing | None) -> bool:
    return found is not None and found.status == "ok" and (cell.run.overwrite == "timing" or not found.timed)
