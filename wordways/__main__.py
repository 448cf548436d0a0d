"""The `wordways` command: composes and checks every run of a sweep, runs and times them all, then writes the report."""

import os
import shlex
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from wordways import CONF
from wordways.archive import DamagedError, archived
from wordways.command import interruptible, print_anywhere
from wordways.compose import asked_by, cell_of
from wordways.files import clear_stale
from wordways.history import commands_of, history_file, write_commands
from wordways.launch import complete, line_of, run_all
from wordways.output import lasting_output
from wordways.overrides import at_home
from wordways.questions import answer
from wordways.run.cell import Cell
from wordways.run.check import judged_by_itself, larger_than_the_data
from wordways.run.estimate import announcement
from wordways.run.execute import run_cell
from wordways.run.memory import keep_freed_memory
from wordways.run.standing import awaits_timing, is_complete, is_kept, standing
from wordways.run.training import check_processes, follow
from wordways.run.workers import dismiss, joined, rank
from wordways.run.working import working
from wordways.settings import SettingError

PLACES = (  # do not change numbers
    "results", "checkpoints", "task.data", "overwrite", "progress", "threads", "limits.seconds", "limits.bytes",
    "micro_batch", "activation_checkpointing",
)  # fmt: skip
LAUNCHER = ("hydra/launcher=", "hydra.launcher.")


def main() -> None:
    print_anywhere()
    sys.argv[1:] = map(at_home, sys.argv[1:])
    with joined():
        follow() if rank() else lead(sys.argv[1:])


def lead(arguments: list[str]) -> None:
    """The command itself, in the first process or the only one."""
    cells: list[Cell] = []

    def state() -> str:
        left = sum(map(awaits_timing, cells))
        untimed = f", {left} of them not timed yet" if left else ""
        done = sum(standing(cell) is not None for cell in cells)
        return f"{done} of {len(cells)} runs are finished and kept{untimed}" if cells else "nothing was started"

    with interruptible("wordways", state):
        try:
            if (answered := answer(arguments)) is not None:
                print(answered)
                return
            asked = asked_by([argument for argument in arguments if not argument.startswith("-")])
            cells += asked.cells
            for cell in cells:
                if not is_kept(cell) and (reason := judged_by_itself(cell) or larger_than_the_data(cell)):
                    raise SettingError(reason)
            check_processes(cells)
            for option in ("results", "checkpoints"):
                for folder in {getattr(cell.run, option) for cell in cells}:
                    check_writable(option, Path(folder))
                    clear_stale(Path(folder))
            for folder in {cell.run.results for cell in cells}:
                check_archive(Path(folder))
                note_command(Path(folder), arguments, cells)
        except SettingError as error:
            sys.exit(refuse(error))
        pending = [cell for cell in cells if not is_complete(cell)]
        for line in dict.fromkeys(line for cell in pending for line in cell.task.notes()):
            print(f"wordways: {line}", file=sys.stderr, flush=True)
        if cells[0].run.progress and (line := announcement(cells)):
            print(f"wordways: {line}", file=sys.stderr, flush=True)
        keep_freed_memory()
        if asked.known:
            timing = run_all(cells, asked.config)
        else:
            timing = True
            job()
        dismiss()
        print(*complete(cells, timing), sep="\n")
        sys.exit(1 if tell_failures(cells) else 0)


@hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")
def job(config: DictConfig) -> None:
    """A run that another sweeper than hydra's basic one chose as it went; it is timed by itself."""
    print_anywhere()
    cell = cell_of(config)
    with lasting_output():
        print(line_of(cell, run_cell(cell)), flush=True)


def check_writable(option: str, folder: Path) -> None:
    """Raises SettingError where the folder cannot be written to; creates nothing."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        raise SettingError(f"{option}={folder}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise SettingError(f"{option}={folder}: {nearest} cannot be written to")


def check_archive(results: Path) -> None:
    """Raises SettingError where the archive is damaged: its cells would all be run again."""
    try:
        archived(results)
    except DamagedError as error:
        raise SettingError(f"results={results}: {error}; move it elsewhere or restore it") from None


def note_command(results: Path, arguments: list[str], cells: list[Cell]) -> None:
    """Adds the command to the folder's config.yaml, so that the folder says how it can be reproduced.

    Raises SettingError where the folder cannot be written to or the file is damaged.
    """
    of_numbers = [argument for argument in arguments if not argument.startswith(LAUNCHER)]
    asked = [argument for argument in of_numbers if argument.partition("=")[0] not in PLACES]
    made = {cell.id: f"{cell.preset}, seed {cell.run.seed}" for cell in cells if Path(cell.run.results) == results}
    entry = {"command": shlex.join(["wordways", *asked]), "cells": made}
    try:
        if entry in commands_of(results):
            return
        with working(results, "commands", wait=True, why=f"another command starts in {results}"):
            write_commands(results, [*(one for one in commands_of(results) if one != entry), entry])
    except ValueError as error:
        raise SettingError(f"results={results}: {history_file(results)} {error}") from None
    except OSError as error:  # permissions do not show a read-only file system
        raise SettingError(f"results={results}: cannot be written to ({error.strerror})") from None


def refuse(error: SettingError) -> int:
    print(f"wordways: {error}", file=sys.stderr)
    return 2


def tell_failures(cells: list[Cell]) -> int:
    """Says which runs failed or lack a record, and how each is run again; returns how many."""
    found = [(cell, standing(cell)) for cell in cells]
    failed = [cell for cell, stood in found if stood and stood.status == "failed"]
    missing = [cell for cell, stood in found if stood is None]
    if failed:
        print(f"wordways: {len(failed)} of {len(cells)} runs failed; to run them again:", file=sys.stderr)
    for cell in failed:
        again = [override for override in cell.overrides if not override.startswith("overwrite=")]
        print(f"  {shlex.join(['wordways', *again, 'overwrite=failed'])}", file=sys.stderr)
    if missing:
        print(
            f"wordways: {len(missing)} of {len(cells)} runs have no record; the same command goes on", file=sys.stderr
        )
    elif left := sum(map(awaits_timing, cells)):
        print(f"wordways: {left} of {len(cells)} runs are not timed; the same command goes on", file=sys.stderr)
    return len(failed) + len(missing)


if __name__ == "__main__":
    main()
