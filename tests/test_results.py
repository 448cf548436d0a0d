"""What is kept in results/ can be made again: each command still asks for the cells that it made."""

import re
import shlex
from typing import Any

import pytest
import yaml
from conftest import ROOT, SHARED, first_of_axes

from wordways.__main__ import compose_cells
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
    """One seed of each; and of each task one cell, which takes a quarter of the time, or the whole."""
    records, _ = read_records(ROOT / folder)
    from_files = any("revision" in record.config["task"] for record in records)
    if from_files and not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there, and its data decide the names of cells")
    for entry in entries(folder):
        program, *arguments = shlex.split(entry["command"])
        assert program == "wordways"
        made = {cell: int(of.rpartition("seed ")[2]) for cell, of in entry["cells"].items()}
        first = min(made.values())  # seeds differ in a number, which is not worth the minutes
        others = [argument for argument in arguments if not argument.startswith("seed=")]
        if not whole:
            others = first_of_axes(others, but="task")
        data = [f"task.data={SHARED / 'data'}"] * from_files
        asked = {cell.id for cell in compose_cells([*others, *data, f"seed={first}"])}
        wanted = {cell for cell, seed in made.items() if seed == first}
        assert wanted <= asked if whole else asked <= wanted, entry["command"]
