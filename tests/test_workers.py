"""Two processes train what one trains, fail together, and leave what one can resume, and the other way round."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CPU, ROOT, cell
from processes import VALID_BATCH, VALID_ITEMS
from safetensors.torch import load_file

from wordways.run import training
from wordways.run.cell import Cell
from wordways.run.training import check_processes, trained
from wordways.run.workers import agreed
from wordways.settings import SettingError

SMALL = (
    "task.n=4", "task.alphabet=8", "task.operations=[insert,remove,copy]", "train.steps=10", "train.batch=7",
    "train.warmup=3", "device=cpu",
)  # fmt: skip
MEMORY: dict[str, dict[str, Any]] = {
    "autoregressive": {},
    "diffusion": {"micro_batch": 3},  # the first process has three rows, the second four
    "parallel_glancing": {"micro_batch": 2},  # two terms, one of them over a number that depends on the weights
    "block_diffusion": {"activation_checkpointing": True},
    "speculative": {"micro_batch": 1},  # two objectives, of which a row has one
}


class StoppedError(Exception):
    pass


def placed(one: Cell, folder: str | Path, **run: Any) -> Cell:
    """The same cell with other settings of its run."""
    return replace(one, run=replace(one.run, checkpoints=str(folder), **run))


def train_alone(one: Cell, stop_at: int | None = None) -> None:
    calls = 0

    def stepped() -> None:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise StoppedError

    trained(one, one.text, CPU, stepped)


def same(one: Cell, other: Cell) -> None:
    """Equal curve, budgets and weights, up to rounding."""
    logs = [json.loads((each.checkpoint / "log.json").read_text()) for each in (one, other)]
    curves = [torch.tensor(log.pop("curve"), dtype=torch.float64) for log in logs]
    torch.testing.assert_close(*curves, rtol=1e-4, atol=1e-5)
    assert logs[0]["best_step"] == logs[1]["best_step"]
    assert logs[0]["tokens"] == logs[1]["tokens"]
    assert logs[0]["supervised_tokens"] == logs[1]["supervised_tokens"]
    for name in ("best.safetensors", "last.safetensors"):
        weights = [load_file(each.checkpoint / name) for each in (one, other)]
        for name, weight in weights[0].items():
            torch.testing.assert_close(weight, weights[1][name], rtol=1e-4, atol=1e-5)


def outcomes(places: list[Path], cells: Path) -> list[tuple[int, str, str]]:
    """Status, output and errors of processes started as torchrun starts them, each in its own folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(len(places))}
    command = [sys.executable, "-W", "error", str(ROOT / "tests" / "processes.py"), str(cells)]
    env = {**os.environ, **where, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            command, cwd=place, env={**env, "RANK": str(number), "LOCAL_RANK": str(number)},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number, place in enumerate(places)
    ]  # fmt: skip
    try:
        said = [process.communicate(timeout=200) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(started, said, strict=True)]


def test_two_processes_train_what_one_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole trainings, one that fails in the second process, one that one process began, one in which a process dies.

    The checkpoints' folder is relative, so that each process would write into its own.
    """
    monkeypatch.setattr(training, "VALID_ITEMS", VALID_ITEMS)
    monkeypatch.setattr(training, "VALID_BATCH", VALID_BATCH)
    places = [tmp_path / "process0", tmp_path / "process1"]
    alone = {preset: placed(cell(f"paradigm={preset}", *SMALL), tmp_path / "alone") for preset in MEMORY}
    together = {preset: placed(alone[preset], "c", **MEMORY[preset]) for preset in MEMORY}
    for seed, preset in ((1, "resumed"), (2, "killed"), (3, "failing")):
        together[preset] = replace(placed(together["diffusion"], "c", seed=seed), preset=preset)
    for seed, preset in ((1, "resumed"), (2, "killed")):
        alone[preset] = placed(alone["diffusion"], tmp_path / "alone", seed=seed)
    for one in alone.values():
        train_alone(one)
    for place in places:
        place.mkdir()
    with pytest.raises(StoppedError):
        train_alone(placed(alone["resumed"], places[0] / "c"), stop_at=1 + 5)
    cells = tmp_path / "cells.pickle"
    cells.write_bytes(pickle.dumps([one for _, one in sorted(together.items(), key=lambda item: item[0] == "killed")]))
    (first, said, errors), (second, said_by_second, errors_of_second) = outcomes(places, cells)
    assert said.splitlines() == ["SharedError: process 2 of 2: MemoryError: no room for step 4"], errors
    assert (first, second) == (-signal.SIGKILL, 1), errors_of_second
    assert not said_by_second
    (line,) = errors_of_second.splitlines()
    assert line.startswith("wordways: process 2 of 2: lost the connection to another process (")
    assert line.endswith("); the same command goes on from the last validation")
    assert not any(places[1].iterdir()), "only the first process writes"
    kept = {preset: placed(one, places[0] / "c") for preset, one in together.items()}
    assert not (kept["failing"].checkpoint / "log.json").exists()
    assert (kept["killed"].checkpoint / "state.safetensors").is_file()
    train_alone(kept["killed"])
    for preset, one in alone.items():
        assert together[preset].training_key == one.training_key
        same(one, kept[preset])
        assert json.loads((kept[preset].checkpoint / "log.json").read_text(encoding="utf-8"))["processes"] == (
            1 if preset == "killed" else 2
        )


def test_more_processes_than_rows_or_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = cell("train.batch=3")
    check_processes([one])
    monkeypatch.setattr(training, "size", lambda: 4)
    with pytest.raises(SettingError, match=r"train\.batch=3: must be at least the number of processes, 4"):
        check_processes([one])
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingError, match="device=cuda: 4 processes need as many devices, this machine has 2"):
        check_processes([cell("train.batch=4")])


def test_alone_an_error_stays_what_it_is() -> None:
    with pytest.raises(KeyError, match="mine"), agreed():
        raise KeyError("mine")


@pytest.mark.parametrize("value", [0, -3, "a", 1.5])
def test_a_micro_batch_has_rows(value: Any) -> None:
    with pytest.raises(SettingError, match=f"micro_batch={value}: "):
        cell(f"micro_batch={value}")
