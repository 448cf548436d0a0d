"""One process works on a run at a time; files tell who it is and how far; a killed one leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import pytest
import yaml
from conftest import SMALL, cell

from wordways.__main__ import note_command
from wordways.record import read_records
from wordways.run.execute import score_cell, try_cell
from wordways.run.limits import Limits, occupied, run_apart
from wordways.run.session import time_cells
from wordways.run.standing import awaits_timing, is_finished, is_kept, standing
from wordways.run.working import FOLDER, note, working, works
from wordways.status import status_of

pytest.importorskip("fcntl", reason="this system has no file locks")
HOLD = """
import sys, time
from pathlib import Path
from wordways.run.working import note, working
with working(Path(sys.argv[1]), sys.argv[2], wait=True, why="x") as mine:
    note("training", 3, 12)
    print(mine, flush=True)
    time.sleep(600)
"""


def holder(results: Path, of: str) -> subprocess.Popen[str]:
    """Another process that holds a piece of work."""
    command = [sys.executable, "-c", HOLD, str(results), of]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_piece_of_work_is_held_by_one_and_its_file_goes_with_it(tmp_path: Path) -> None:
    with working(tmp_path, "a", wait=True, why="") as mine, working(tmp_path, "b", wait=False, why="") as other:
        assert mine
        assert other
        with working(tmp_path, "a", wait=False, why="") as again:
            assert not again
        assert {work.of for work in works(tmp_path)} == {"a", "b"}
    assert list(tmp_path.iterdir()) == []


def test_who_works_is_told_and_a_killed_process_is_succeeded(tmp_path: Path) -> None:
    process = holder(tmp_path, "a")
    try:
        (work,) = works(tmp_path)
        assert (work.of, work.pid, work.doing, work.done, work.total) == ("a", process.pid, "training", 3, 12)
        assert work.since <= work.doing_since <= work.at <= time.time()
        with working(tmp_path, "a", wait=False, why="") as mine:
            assert not mine
    finally:
        killed(process)
    assert (tmp_path / FOLDER / "a").exists(), "a killed process cannot remove it"
    assert works(tmp_path) == []
    with working(tmp_path, "a", wait=False, why="") as mine:
        assert mine
        note("scoring", 0, 4)
        assert [work.doing for work in works(tmp_path)] == ["scoring"]
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_another_process_holds_is_passed_over_and_its_record_taken(tmp_path: Path) -> None:
    one = cell("paradigm=parallel", *SMALL, f"results={tmp_path / 'r'}", f"checkpoints={tmp_path / 'c'}")
    process = holder(tmp_path / "r", one.id)
    try:
        assert try_cell(one, wait=False) is None
        assert standing(one) is None
    finally:
        killed(process)
    assert score_cell(one).status == "ok"
    assert is_kept(one)
    assert awaits_timing(one)
    time_cells([one])
    assert is_finished(one)
    before = standing(one)
    assert try_cell(one, wait=False) is not None
    assert standing(one) == before, "a finished run is not run again"


def test_a_status_names_what_is_done_runs_waits_and_failed(results: Path, tmp_path: Path) -> None:
    records = [record for record in read_records(results)[0] if not record.is_baseline]
    asked = {record.cell: f"{record.config['preset']}, seed 0" for record in records}
    (tmp_path / "cells").symlink_to(results / "cells")
    entries = [{"command": "wordways", "cells": asked | {"running": "one, seed 1", "waiting": "two, seed 2"}}]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(entries), encoding="utf-8")
    with working(tmp_path, "running", wait=True, why=""):
        note("one: training", 0, 40)
        found = status_of(tmp_path)
        assert [work.of for work in found.running] == ["running"]
    assert found.waiting == ["waiting"]
    assert len(found.done) == len(records)
    seconds = [sum(r.provenance["seconds"].values()) for r in records if r.status == "ok"]
    assert found.seconds_left() == pytest.approx(2 * sum(seconds) / len(seconds)), "one runs, one waits"
    first, running, waiting = found.lines(time.time())
    assert first.startswith(f"{len(records)} done, 1 running, 1 waiting, 0 failed, 0 not timed yet; about ")
    assert running.startswith("running  one, seed 1: one: training, 0 of 40 (for ")
    assert waiting == "waiting  two, seed 2"
    assert status_of(tmp_path).waiting == ["running", "waiting"], "nobody holds it any more"


def test_commands_that_start_together_are_all_noted(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: note_command(tmp_path, [f"seed={seed}"], []), range(16)))
    noted = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    assert sorted(entry["command"] for entry in noted) == sorted(f"wordways seed={seed}" for seed in range(16))
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def idle(_: Any) -> None:
    time.sleep(600)


def greedy(_: Any) -> None:
    held = [bytearray(os.urandom(1 << 20)) for _ in range(4096)]
    time.sleep(len(held))


def suicide(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fine(path: Path) -> None:
    path.write_text("done", encoding="utf-8")


@pytest.mark.skipif(occupied(os.getpid()) is None, reason="this system does not tell how much memory is occupied")
def test_a_run_that_exceeds_a_limit_or_is_killed_says_so(tmp_path: Path) -> None:
    own = occupied(os.getpid()) or 0
    assert run_apart(idle, None, Limits(seconds=0.5)).startswith("limits.seconds=0.5: exceeded")
    assert run_apart(greedy, None, Limits(bytes=own + (1 << 28))) == f"limits.bytes={own + (1 << 28)}: exceeded"
    assert "ended by signal 9, as happens where memory runs out" in run_apart(suicide, None, Limits(seconds=600))
    assert run_apart(fine, tmp_path / "x", Limits(seconds=600)) == ""
    assert (tmp_path / "x").read_text(encoding="utf-8") == "done"


def test_limits_hold_in_the_processes_of_joblib(tmp_path: Path) -> None:
    told = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(run_apart)(fine, tmp_path / name, Limits(seconds=600)) for name in "ab"
    )
    assert list(told) == ["", ""]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_limit_makes_one_failure_and_lifting_it_goes_on(tmp_path: Path) -> None:
    places = (f"results={tmp_path / 'r'}", f"checkpoints={tmp_path / 'c'}")
    cut = cell("paradigm=parallel", *SMALL, *places, "limits.seconds=0.001")
    record = score_cell(cut)
    assert record.status == "failed"
    assert record.reason.startswith("limits.seconds=0.001: exceeded")
    again = cell("paradigm=parallel", *SMALL, *places, "limits.seconds=600", "overwrite=failed")
    assert again.id == cut.id, "a limit is no part of what a run is"
    assert score_cell(again).status == "ok"
    whole = cell("paradigm=parallel", *SMALL, f"results={tmp_path / 's'}", f"checkpoints={tmp_path / 'c'}")
    assert score_cell(whole).scores == score_cell(again).scores
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == ["cells"]
