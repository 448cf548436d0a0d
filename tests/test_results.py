"""What is kept in results/ can be made again: by a commit of this history, and by a command that asks for its cells."""

import re
import shlex
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, SHARED, one_of_each_task

from wordways.compose import compose_cells
from wordways.record import cell_id, read_records

KEPT = re.findall(r"^!(results/\w+)/$", (ROOT / ".gitignore").read_text(), re.M)
FOLDERS = sorted(path.parent.relative_to(ROOT).as_posix() for top in KEPT for path in (ROOT / top).rglob("config.yaml"))


def entries(folder: str) -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / folder / "config.yaml").read_text())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_record_is_of_a_command(folder: str) -> None:
    records, refused = read_records(ROOT / folder)
    assert not refused
    made = {record.cell for record in records if not record.is_baseline}  # those come with the cells of their task
    assert made <= {cell for entry in entries(folder) for cell in entry["cells"]}


@lru_cache(maxsize=1)
def history() -> frozenset[str]:
    """Every commit that leads to this one; empty without git or where the clone has only the latest."""
    shallow = git("rev-parse", "--is-shallow-repository")
    return frozenset(git("rev-list", "HEAD").split()) if shallow.strip() == "false" else frozenset()


def git(*command: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True).stdout
    except OSError:
        return ""


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_record_is_of_a_commit(folder: str) -> None:
    """Nothing that no commit holds decided a kept number, and no setting was changed after a run."""
    records, _ = read_records(ROOT / folder)
    uncommitted = [r.cell for r in records if r.provenance["dirty"] is not False or r.provenance["commit"] is None]
    assert not uncommitted, f"{len(uncommitted)} of {len(records)} records come from uncommitted changes"
    assert [r.cell for r in records] == [cell_id(r.config) for r in records]
    if history():
        assert {r.provenance["commit"] for r in records} <= history()


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow, id="whole")])
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_command_asks_for_its_cells(folder: str, whole: bool) -> None:
    """The whole, or of what its experiment brings one cell of each task, in a third of the time."""
    records, _ = read_records(ROOT / folder)
    from_files = any("revision" in record.config["task"] for record in records)
    if from_files and not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there, and its data decide the names of cells")
    for entry in entries(folder):
        program, *arguments = shlex.split(entry["command"])
        assert program == "wordways"
        arguments = [argument for argument in arguments if argument != "-m"]  # every command is a sweep
        arguments += [f"task.data={SHARED / 'data'}"] * from_files
        names = [argument.partition("=")[2] for argument in arguments if argument.startswith("backbone.name=")]
        if names and not Path(names[0]).is_dir():
            pytest.skip(f"{names[0]} is not there, and its weights decide the names of cells")
        asked = {cell.id for cell in compose_cells(arguments if whole else one_of_each_task(arguments))}
        made = set(entry["cells"])
        assert made <= asked if whole else asked <= made, entry["command"]
