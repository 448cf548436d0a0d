"""The default comparison, whole: minutes of training, every cell against theory. Run with -m slow."""

import json
import subprocess
import sys
from collections import defaultdict

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = tmp_path_factory.mktemp("default")
    command = [sys.executable, "-m", "wordways", "progress=false"]
    subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=True)
    results = folder / "results" / "list_operations"
    return [json.loads(line) for line in (results / "report" / "oracles.jsonl").read_text().splitlines()]


def test_every_cell_with_an_exact_answer_holds(lines: list[dict]) -> None:
    assert [line for line in lines if not line["holds"]] == []


def test_the_cells_are_those_of_the_published_table(lines: list[dict]) -> None:
    """Five operations of five rows have an exact accuracy; BERT's conditionals have none."""
    seen = defaultdict(dict)
    for line in lines:
        if line["measure"] == "accuracy":
            assert line["items"] >= 2000
            seen[line["preset"]][line["operation"]] = line["theory"]
    assert seen.keys() == {"autoregressive", "parallel", "diffusion_k1", "diffusion_k2", "diffusion_k3"}
    exact = {
        "autoregressive": (1, 1),
        "diffusion_k1": (1, 1),
        "diffusion_k2": (0.7335, 0.3125),
        "diffusion_k3": (0.6044, 0.1235),
        "parallel": (0.4019, 0.0154),
    }
    for preset, (replace_random, shuffle) in exact.items():
        assert seen[preset]["replace_random"] == pytest.approx(replace_random, abs=5e-5)
        assert seen[preset]["shuffle"] == pytest.approx(shuffle, abs=5e-5)
        assert [seen[preset][name] for name in ("copy", "reverse", "replace_index")] == [1, 1, 1]
