"""What is kept in results/ can be made again: each command still asks for the cells that it made."""

import re
import shlex
from typing import Any

import pytest
import yaml
from conftest import ROOT, SHARED, one_of_each_task

from wordways.compose import compose_cells
from wordways.record import read_records

KEPT = re.findall(r"^!(results/\w+)/$", (ROOT / ".gitignore").read_text(), re.M)
FOLDERS = sorted(path.parent.relative_to(ROOT).as_posix() for top in KEPT for path in (ROOT / top).rglob("config.yaml"))


def entries(folder: str) -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / folder / "config.yaml").read_text())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_record_is_of_a_command(folder: str) -> None:
    records, refused = read_records(ROOT / folder)
    assert not refused
    assert {record.cell for record in records} <= {cell for entry in entries(folder) for cell in entry["cells"]}


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
        arguments += [f"task.data={SHARED / 'data'}"] * from_files
        asked = {cell.id for cell in compose_cells(arguments if whole else one_of_each_task(arguments))}
        made = set(entry["cells"])
        assert made <= asked if whole else asked <= made, entry["command"]
