"""Sweeps that are killed again and again end with the records of an undisturbed one, and nothing is run twice.

pytest -m slow tests/test_killed.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from wordways.record import Record, read_records

COMMAND = [sys.executable, "-m", "wordways"]
TINY = (
    "task.n=4", "task.alphabet=8", "task.operations=[copy]", "train.steps=4", "train.batch=16", "measure.items=4",
    "measure.likelihood_items=2", "measure.batches=[1]", "measure.timed=1", "measure.lengths=[2]", "measure.repeats=1",
    "progress=false",
)  # fmt: skip
SWEEPS = {
    "one after another": ("paradigm=autoregressive,parallel", "train.lr=1e-3,2e-3", "seed=range(0,50)"),
    "jobs of a cluster": ("paradigm=autoregressive,parallel", "seed=range(0,4)", "hydra/launcher=submitit_local"),
}
CELLS, KILLS = {"one after another": 200, "jobs of a cluster": 8}, {"one after another": 20, "jobs of a cluster": 3}
PATIENCE_S = 1800

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills whole groups of processes")]


def started(folder: Path, sweep: str) -> subprocess.Popen[bytes]:
    surroundings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    command = [*COMMAND, *TINY, *SWEEPS[sweep]]
    with (folder / "said").open("ab") as said:
        return subprocess.Popen(command, cwd=folder, env=surroundings, stdout=said, stderr=said, start_new_session=True)


def numbers(record: Record) -> dict[str, Any]:
    """All of a record but times."""
    kept = {name: getattr(record, name) for name in ("scores", "likelihood", "trace", "budgets", "samples", "config")}
    return kept | {name: record.provenance[name] for name in ("training",)}


def trained(folder: Path) -> dict[str, Record]:
    records, refused = read_records(folder / "results" / "list_operations")
    assert not refused
    return {record.cell: record for record in records if not record.is_baseline}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_killed_sweep_ends_as_an_undisturbed_one(tmp_path: Path, sweep: str) -> None:
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    quiet.mkdir()
    killed.mkdir()
    assert started(quiet, sweep).wait(PATIENCE_S) == 0, (quiet / "said").read_text(encoding="utf-8")
    rng, cells = random.Random(0), killed / "results" / "list_operations" / "cells"
    first: dict[str, bytes] = {}
    for _ in range(KILLS[sweep]):
        process = started(killed, sweep)
        done, wanted = len(first), rng.randint(1, max(1, CELLS[sweep] // (2 * KILLS[sweep])))
        deadline = time.monotonic() + PATIENCE_S
        while len(list(cells.glob("*.json"))) < done + wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(rng.random())
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for path in cells.glob("*.json"):
            assert first.setdefault(path.name, path.read_bytes()) == path.read_bytes(), "a finished run was run again"
    assert started(killed, sweep).wait(PATIENCE_S) == 0, (killed / "said").read_text(encoding="utf-8")
    one, other = trained(quiet), trained(killed)
    assert len(one) == CELLS[sweep]
    assert {name: numbers(record) for name, record in one.items()} == {
        name: numbers(record) for name, record in other.items()
    }
    for name, content in first.items():
        assert content.decode().split('"started":"')[1][:20] == other[name[:-5]].provenance["started"], "run once"
    for folder in (quiet, killed):
        results = folder / "results"
        assert sorted(path.name for path in (results / "list_operations").iterdir()) == [
            "cells",
            "config.yaml",
            "report",
        ]
        left = [path for path in results.rglob(".*") if path.name not in (".checkpoints", ".hydra", ".submitit")]
        assert not left, "what killed processes left is gone"
