"""Who may import whom: paradigms, tasks and harness, running and reporting stay apart; a report needs no torch."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

from wordways.names import public, schema_1
from wordways.settings import locate

OWN = {"paradigms", "tasks", "wordways"}
FILES_OF_CHECKPOINTS = {"transformers", "safetensors", "huggingface_hub"}
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
    allowed = {"torch", "paradigms"} | (FILES_OF_CHECKPOINTS if path.parent.name == "pretrained" else set())
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
                name in ("paradigms.base", "tasks.base", "tasks.baselines")
                or name == "tasks.metrics"
                or name.startswith("tasks.metrics.")
            )
            assert allowed, name


CHAPTERS = {path.stem for path in (ROOT / "paradigms").glob("*.py")} - {"__init__", "base"}
DECODERS = {path.stem for path in (ROOT / "paradigms" / "decoders").glob("*.py")}
WINGS = {"run": "wordways.report", "report": "wordways.run"}
BETWEEN = (
    "record",
    "archive",
    "files",
    "history",
    "parsing",
    "schema",
    "settings",
    "names",
    "labels",
    "medians",
    "texts",
)
ABOVE = (
    "__main__", "command", "compose", "composition", "convert", "golden", "launch", "migrate", "new", "output",
    "overrides", "questions", "score", "status",
)  # fmt: skip


def test_no_code_asks_which_paradigm_it_has() -> None:
    for path in files("wordways"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare | ast.MatchValue):
                constants = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not constants & CHAPTERS, f"{path.name}:{node.lineno} compares with a paradigm's name"


def test_every_file_of_the_harness_is_in_a_wing_between_or_above_them() -> None:
    assert {path.stem for path in (ROOT / "wordways").glob("*.py")} == {"__init__", *BETWEEN, *ABOVE}


BINARY_OPENERS = {"os", "Image", "tarfile", "distribution('wordways')"}  # give no text, or always read UTF-8


def opens_text_of_unknown_encoding(call: ast.Call) -> bool:
    """Whether a call opens, reads or writes text in whatever encoding the system has."""
    function, named = call.func, {keyword.arg: keyword.value for keyword in call.keywords}
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if "encoding" in named or (isinstance(function, ast.Attribute) and ast.unparse(function.value) in BINARY_OPENERS):
        return False
    if name in {"open", "fdopen", "TemporaryFile", "NamedTemporaryFile"}:
        modes = [node.value for node in [*call.args, *named.values()] if isinstance(node, ast.Constant)]
        binary = any(isinstance(mode, str) and "b" in mode and set(mode) <= set("rwaxb+") for mode in modes)
        return not (binary or (name.startswith(("Temporary", "Named")) and not modes))
    return name in {"read_text", "write_text", "TextIOWrapper"} or bool({"text", "universal_newlines"} & named.keys())


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("p.read_text()", True), ("p.write_text(x)", True), ("open(p)", True), ("p.open()", True),
        ("gzip.open(p, 'rt')", True), ("open(p, 'w')", True), ("run(x, text=True)", True), ("open(p, 'rb')", False),
        ("p.open('xb')", False), ("TemporaryFile()", False), ("TemporaryFile('w')", True), ("os.open(p, 3)", False),
        ("open('b', encoding='utf-8')", False), ("p.read_text(encoding='utf-8')", False),
    ],
)  # fmt: skip
def test_text_of_unknown_encoding_is_recognised(code: str, wrong: bool) -> None:
    (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert opens_text_of_unknown_encoding(call) is wrong


def test_every_text_file_has_an_encoding() -> None:
    """UTF-8, whatever the system's language is."""
    for path in [file for top in (*sorted(OWN), "docs") for file in files(top)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert not opens_text_of_unknown_encoding(node), f"{path}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("wing", WINGS)
def test_the_wings_know_nothing_of_each_other(wing: str) -> None:
    """Reading imports, those inside functions too; what stands between the wings knows neither."""
    for path in [*files(f"wordways/{wing}"), *(ROOT / "wordways" / f"{name}.py" for name in BETWEEN)]:
        for name, _ in imports(path):
            assert f"{name}.".startswith(f"{WINGS[wing]}.") is False, f"{path}: {name}"


def test_only_the_running_wing_loads_torch() -> None:
    for path in [*files("wordways/report"), *(ROOT / "wordways" / f"{name}.py" for name in BETWEEN)]:
        for name, _ in imports(path):
            assert name.split(".")[0] not in {"torch", "paradigms"}, f"{path}: {name}"


SPEED = "wordways.speed"
DRAWN = ("lines", "tables", "figure")  # what reads the benchmark's results


def test_the_benchmark_stands_above_both_wings_and_knows_transformers() -> None:
    for path in files("wordways"):
        own = path.parent.name == "speed"
        for name, _ in imports(path):
            assert own or not f"{name}.".startswith(f"{SPEED}."), f"{path}: {name}"
            knows = (own and path.stem in {"llama", "others"}) or path.stem == "convert"
            assert knows or name.split(".")[0] != "transformers", f"{path}: {name}"


def test_imports_go_round_in_no_circle() -> None:
    """Over every module of the three packages, imports inside functions included."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for top in OWN for path in files(top)}
    graph = {
        module.removesuffix(".__init__"): {name for name, _ in imports(path) if name in modules} - {module}
        for module, path in modules.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_paradigms_stand_over_decoders_over_the_contract_over_the_trunk() -> None:
    for path in files("paradigms/trunk"):
        assert all(not n.startswith("paradigms") or n.startswith("paradigms.trunk") for n, _ in imports(path)), path
    for name, _ in imports(ROOT / "paradigms" / "base.py"):
        allowed = name.startswith("paradigms.trunk") or name == "paradigms.pretrained.checkpoint"
        assert not name.startswith("paradigms") or allowed, name
    for path in files("paradigms/pretrained"):
        under = ("paradigms.trunk", "paradigms.pretrained")
        assert all(not n.startswith("paradigms") or n.startswith(under) for n, _ in imports(path)), path
    published = {"golden": {"paradigms.diffusion"}}  # other people's programs, put together from a paradigm of ours
    for path in files("paradigms/decoders"):
        for name, _ in imports(path):
            if name.startswith("paradigms") and name not in published.get(path.stem, ()):
                assert name == "paradigms.base" or name.split(".")[1] in ("decoders", "trunk"), f"{path.stem}: {name}"


@pytest.mark.parametrize("package", ["paradigms", "tasks"])
def test_classes_have_public_names_that_no_move_changes(package: str) -> None:
    """Every class that conf/ names is found under its package's own name, and goes by no other."""
    text = "\n".join(path.read_text() for path in (ROOT / "conf").rglob("*.yaml"))
    named = set(re.findall(rf"_target_: ({package}\.[\w.]+)", text))
    assert len(named) > 15
    for target in named:
        assert public(target) == target, f"{target} names a file"
        assert locate(target).__name__ == target.partition(".")[2]
        long = f"{locate(target).__module__}.{locate(target).__name__}"
        assert public(long) == target
        assert schema_1(target) == target or locate(target) is not None


def test_a_class_that_is_nowhere_or_twice_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match=r"paradigms.Nowhere: defined in no file"):
        getattr(importlib.import_module("paradigms"), "Nowhere")  # noqa: B009
    with pytest.raises(AttributeError, match=r"paradigms.Decoder: defined in autoregressive.py, ctc.py"):
        getattr(importlib.import_module("paradigms"), "Decoder")  # noqa: B009


def test_a_report_keeps_torch_out() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files("wordways/report")]
    modules += [f"{SPEED}.{name}" for name in DRAWN]
    code = f"import sys, {', '.join(modules)}, tasks.metrics, tasks.list_operations; sys.exit('torch' in sys.modules)"
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
