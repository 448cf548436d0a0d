"""Hands runs to hydra's launcher: one after another in this process, or wherever `hydra/launcher=` says."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import DictConfig

from wordways.command import print_anywhere
from wordways.compose import cell_of, cells_of
from wordways.composition import hydra_here
from wordways.output import lasting_output
from wordways.record import Record
from wordways.report.build import write_report
from wordways.run.baselines import add_baselines
from wordways.run.cell import Cell
from wordways.run.execute import try_cell
from wordways.run.session import time_cells
from wordways.run.standing import Standing, awaits_timing, is_complete, is_kept, standing, standing_of

REASON = 500  # letters of a launcher's reason that are shown
HERE = ("hydra._internal.core_plugins.basic_launcher.", "hydra_plugins.hydra_joblib_launcher.")


@dataclass(frozen=True)
class Sweep:
    """Runs that a launcher starts on other machines, where the last one times them all and writes the report.

    jobs: the overrides of every run.  before: of every run that lacks its record, that record's names and what stood
    there before, by which its end is known.
    """

    jobs: Sequence[Sequence[str]]
    before: Mapping[tuple[str, tuple[str, ...]], Standing | None]

    def end(self) -> None:
        """Completes the sweep where no other run is left."""
        if any(standing_of(*run) == stood for run, stood in self.before.items()):
            return
        GlobalHydra.instance().clear()  # the launcher has set it up in this process, for one run
        complete(cells_of(self.jobs))


@dataclass(frozen=True)
class Job:
    """What a launcher starts for a run. wait: whether to wait for a run on which another process works."""

    wait: bool
    sweep: Sweep | None = None

    def __call__(self, config: DictConfig) -> bool:
        """Whether the run has its record now."""
        print_anywhere()
        cell = cell_of(config)
        record = try_cell(cell, wait=self.wait)
        if record is None:
            return False
        with lasting_output():
            print(line_of(cell, record), flush=True)
        if self.sweep is not None:
            self.sweep.end()
        return True


def line_of(cell: Cell, record: Record) -> str:
    """What a finished run prints."""
    seconds = sum(record.provenance.get("seconds", {}).values())
    reason = record.reason.strip().splitlines()[-1:] or [f"{seconds:.0f} s"]
    return f"{cell.preset:28} seed {cell.run.seed}  {record.status:8} {reason[0]}"


def run_all(cells: Sequence[Cell], config: DictConfig) -> bool:
    """Runs what lacks a record, through the launcher of hydra's configuration.

    A run on which another process works is passed over, and waited for in the end, so that several commands share a
    folder's runs. Returns whether timing is left to do in this process.
    """
    missing = [cell for cell in cells if not is_complete(cell)]
    if not config.hydra.launcher._target_.startswith(HERE):
        before = {(cell.run.results, cell.names): standing(cell) for cell in missing if not is_kept(cell)}
        started = missing or [cell for cell in cells if awaits_timing(cell)][:1]
        try:
            launch(config, started, Job(True, Sweep([cell.overrides for cell in cells], before)))
        except Exception as error:  # whatever a launcher raises where one of its jobs was killed
            reason = " ".join(str(error).split()) or type(error).__name__
            print(f"wordways: {config.hydra.runtime.choices['hydra/launcher']}: {reason[:REASON]}", file=sys.stderr)
        return False
    left = launch(config, missing, Job(wait=False))
    launch(config, left, Job(wait=True))
    return True


def launch(config: DictConfig, cells: Sequence[Cell], job: Job) -> list[Cell]:
    """Returns the runs that were passed over."""
    if not cells:
        return []
    with hydra_here():
        context = HydraContext(config_loader=GlobalHydra.instance().config_loader(), callbacks=Callbacks(config))
        launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=job, config=config)
        done = launcher.launch([list(cell.overrides) for cell in cells], 0)
    return [cell for cell, one in zip(cells, done, strict=True) if not one.return_value]


def complete(cells: Sequence[Cell], timing: bool = True) -> list[str]:
    """Times what is scored, adds the trivial baselines and writes the reports; returns what they print."""
    if timing:
        time_cells(cells)
    add_baselines(cells)
    return [write_report(folder) for folder in sorted({Path(cell.run.results) for cell in cells})]
