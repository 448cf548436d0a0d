"""The `wordways` command: composes and checks every run of a sweep, runs and times them all, then writes the report."""

import os
import shlex
import sys
from pathlib import Path

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from wordways import CONF
from wordways.command import interruptible
from wordways.compose import BASIC_SWEEPER, cell_of, compose_cells
from wordways.record import valid_record, write_atomically
from wordways.run.cell import Cell
from wordways.run.check import judged_by_itself
from wordways.run.estimate import announcement
from wordways.run.execute import kept, run_cell, score_cell
from wordways.run.memory import keep_freed_memory
from wordways.run.session import awaits_timing, time_cells
from wordways.settings import SettingError

PLACES = ("results", "checkpoints", "task.data", "overwrite", "progress", "threads")  # do not change numbers
LAUNCHER = ("hydra/launcher=", "hydra.launcher.")


def main() -> None:
    arguments = sys.argv[1:]
    if any(argument.startswith("-") and argument not in ("-m", "--multirun") for argument in arguments):
        job()  # --help, --cfg, --info and other questions to hydra
        return
    cells: list[Cell] = []

    def state() -> str:
        done = sum(valid_record(Path(cell.run.results), *cell.names) is not None for cell in cells)
        left = sum(map(awaits_timing, cells))
        untimed = f", {left} of them not timed yet" if left else ""
        return f"{done} of {len(cells)} runs are finished and kept{untimed}" if cells else "nothing was started"

    with interruptible("wordways", state):
        try:
            cells += compose_cells([argument for argument in arguments if not argument.startswith("-")])
            for cell in cells:
                if (reason := judged_by_itself(cell)) and kept(cell) is None:
                    raise SettingError(reason)
            results = Path(cells[0].run.results)
            for folder in {cell.run.results for cell in cells} | {cells[0].run.checkpoints}:
                check_writable(Path(folder))
            for folder in {cell.run.results for cell in cells}:
                note_command(Path(folder), arguments, cells)
        except SettingError as error:
            sys.exit(refuse(error))
        if cells[0].run.progress and (line := announcement(cells)):
            print(f"wordways: {line}", file=sys.stderr, flush=True)
        keep_freed_memory()
        job()
        time_cells(cells)
        finish(cells, results)


@hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")
def job(config: DictConfig) -> None:
    """One run of the sweep, in whichever process hydra's launcher starts it; all are timed together afterwards.

    Where another sweeper chooses runs as it goes, they are not known beforehand, and each is timed by itself.
    """
    cell = cell_of(config)
    known = HydraConfig.get().sweeper._target_ == BASIC_SWEEPER
    record = score_cell(cell) if known else run_cell(cell)
    seconds = sum(record.provenance.get("seconds", {}).values())
    reason = record.reason.strip().splitlines()[-1:] or [f"{seconds:.0f} s"]
    print(f"{cell.preset:28} seed {cell.run.seed}  {record.status:8} {reason[0]}", flush=True)


def check_writable(folder: Path) -> None:
    """Raises SettingError where the folder cannot be written to; creates nothing."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        raise SettingError(f"results={folder}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise SettingError(f"results={folder}: {nearest} cannot be written to")


def note_command(results: Path, arguments: list[str], cells: list[Cell]) -> None:
    """Adds the command to the folder's config.yaml, so that the folder says how it can be reproduced.

    Raises SettingError where the folder cannot be written to or the file is damaged.
    """
    path = results / "config.yaml"
    of_numbers = [argument for argument in arguments if not argument.startswith(LAUNCHER)]
    asked = [argument for argument in of_numbers if argument.partition("=")[0] not in PLACES]
    made = {cell.id: f"{cell.preset}, seed {cell.run.seed}" for cell in cells if Path(cell.run.results) == results}
    try:
        known = (yaml.safe_load(path.read_text()) if path.is_file() else None) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        known = None
    if not isinstance(known, list):
        raise SettingError(f"results={results}: {path} is damaged; move it elsewhere, the records are not affected")
    entry = {"command": shlex.join(["wordways", *asked]), "cells": made}
    if entry not in known:
        try:
            write_atomically(path, yaml.safe_dump([*known, entry], sort_keys=False, width=200))
        except OSError as error:  # permissions do not show a read-only or a full file system
            raise SettingError(f"results={results}: cannot be written to ({error.strerror})") from None


def refuse(error: SettingError) -> int:
    print(f"wordways: {error}", file=sys.stderr)
    return 2


def finish(cells: list[Cell], results: Path) -> None:
    from wordways.report.build import write_report
    from wordways.run.baselines import add_baselines

    add_baselines(cells)
    for folder in sorted({Path(cell.run.results) for cell in cells}):
        print(write_report(folder))
    failed = [
        cell
        for cell in cells
        if (record := valid_record(Path(cell.run.results), *cell.names)) and record.status == "failed"
    ]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
