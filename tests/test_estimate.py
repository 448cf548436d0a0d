"""What a sweep says before it begins."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from conftest import SMALL, cell

from wordways.run.cell import Cell
from wordways.run.estimate import announcement, kind, minutes
from wordways.run.execute import run_cell


def cells(folder: Path, *presets: str, seeds: tuple[int, ...] = (0, 1)) -> list[Cell]:
    places = (f"results={folder / 'results'}", f"checkpoints={folder / 'checkpoints'}")
    return [cell(f"paradigm={preset}", f"seed={seed}", *SMALL, *places) for preset in presets for seed in seeds]


def test_trainings_are_counted_once_and_only_those_to_come(tmp_path: Path) -> None:
    sweep = cells(tmp_path, "parallel", "diffusion_k1", "diffusion_k2")
    line = announcement(sweep)
    assert re.fullmatch(
        r"6 of 6 runs are pending; training 4 models takes about \d+ s in total \(the longest about \d+ s\), "
        r"evaluation not included",
        line,
    )
    assert not any(tmp_path.iterdir()), "an estimate leaves nothing behind"
    for one in sweep[:3]:
        run_cell(one)
    assert announcement(sweep) == "", "three cells to run, but one training"
    run_cell(sweep[3])
    assert announcement(sweep) == ""


def test_what_is_only_timed_again_is_not_trained(tmp_path: Path) -> None:
    sweep = cells(tmp_path, "parallel")
    for one in sweep:
        run_cell(one)
    again = [replace(one, run=replace(one.run, overwrite="timing")) for one in sweep]
    assert announcement(again) == ""
    shutil.rmtree(tmp_path / "checkpoints")
    assert announcement(sweep) == "", "everything is done"
    assert announcement(again).startswith("2 of 2 runs are pending; training 2 models"), "there is no checkpoint left"


def test_seeds_are_of_one_kind_and_decoders_are(tmp_path: Path) -> None:
    one, other = cells(tmp_path, "parallel")
    assert kind(one) == kind(other)
    k1, k2 = (cells(tmp_path, preset, seeds=(0,))[0] for preset in ("diffusion_k1", "diffusion_k2"))
    assert k1.training_key == k2.training_key


def test_what_cannot_be_trained_is_not_waited_for(tmp_path: Path) -> None:
    """An autoregressive model fills no span; its record will say so."""

    def spans(preset: str) -> list[Cell]:
        own = (f"paradigm={preset}", *SMALL, "task.instruction=after", f"results={tmp_path}")
        return [cell(*own, f"seed={seed}") for seed in (0, 1)]

    assert announcement(spans("autoregressive")) == ""
    assert announcement(spans("autoregressive") + spans("diffusion_k1")).startswith(
        "4 of 4 runs are pending; training 2 models"
    )


def test_minutes() -> None:
    assert [minutes(seconds) for seconds in (0, 99, 100, 3600)] == ["0 s", "99 s", "2 min", "60 min"]
