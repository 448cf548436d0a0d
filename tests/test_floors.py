"""Who may import whom: paradigms, tasks and harness stay apart, and a report needs no torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

OWN = {"paradigms", "tasks", "wordways"}
STANDARD = sys.stdlib_module_names


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module of a file, and whether it stands at the top level."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        for name in names:
            yield name, node in tree.body


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", files("paradigms"), ids=lambda path: path.stem)
def test_paradigms_import_torch_and_each_other(path: Path) -> None:
    allowed = {"torch", "paradigms"} | ({"transformers"} if path.stem == "pretrained" else set())
    for name, _ in imports(path):
        assert name.split(".")[0] in allowed | STANDARD, name


@pytest.mark.parametrize("path", files("tasks"), ids=lambda path: path.stem)
def test_tasks_import_neither_torch_nor_the_others(path: Path) -> None:
    for name, top in imports(path):
        head = name.split(".")[0]
        assert head not in {"torch", "transformers", "paradigms", "wordways"}, name
        assert head != "evaluate" or (path.stem in {"adapter", "extra"} and not top), "evaluate loads torch"


@pytest.mark.parametrize("path", files("wordways"), ids=lambda path: path.stem)
def test_the_harness_knows_contracts_not_classes(path: Path) -> None:
    for name, _ in imports(path):
        if name.split(".")[0] in OWN - {"wordways"}:
            allowed = (
                name in ("paradigms.base", "tasks.base") or name == "tasks.metrics" or name.startswith("tasks.metrics.")
            )
            assert allowed, name


def test_no_code_asks_which_paradigm_it_has() -> None:
    names = {path.stem for path in files("paradigms")} - {
        "__init__",
        "base",
        "attention",
        "backbone",
        "policy",
        "sampling",
    }
    for path in files("wordways"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare | ast.MatchValue):
                constants = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not constants & names, f"{path.name}:{node.lineno} compares with a paradigm's name"


def test_a_report_keeps_torch_out() -> None:
    modules = [*(f"wordways.{name}" for name in ("report", "oracles", "plots", "tables", "claims")), "tasks.metrics"]
    code = f"import sys, {', '.join(modules)}, tasks.list_operations; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_decode_loops_are_short() -> None:
    """A reader sees a whole loop at once: no function that yields is longer than 60 lines."""
    for path in files("paradigms"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any(isinstance(n, ast.Yield) for n in ast.walk(node)):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path.name}: {node.name}"


def test_paradigm_files_have_one_order_of_sections() -> None:
    order = ["__init__", "rule", "loss", "decode", "log_likelihood"]
    found = 0
    for path in files("paradigms"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and "Paradigm" in {ast.unparse(base) for base in node.bases}:
                methods = [n.name for n in node.body if isinstance(n, ast.FunctionDef) and n.name in order]
                assert methods == order, path.name
                found += 1
    assert found >= 4
