"""`wordways-new`: what it writes runs as it is, is what the documentation shows, and nothing is left half-written."""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from test_docs import blocks, commands

from tasks.base import Setting
from wordways import new
from wordways.files import FullDiskError

PARADIGM_PAGE, TASK_PAGE = ROOT / "docs" / "add-a-paradigm.md", ROOT / "docs" / "add-a-task-or-metric.md"
SHOWN = (
    ("paradigm", "cosine_masking", PARADIGM_PAGE),
    ("task", "repeat_one", TASK_PAGE),
    ("metric", "token_f1", TASK_PAGE),
)
TINY = (
    "paradigm=cosine_masking", "task=repeat_one",
    "train.steps=5", "train.warmup=1", "train.batch=8", "measure.items=8", "measure.likelihood_items=4",
    "measure.batches=[1]", "measure.timed=1", "measure.lengths=[2]", "measure.repeats=1", "backbone.layers=1",
    "backbone.width=16", "backbone.heads=1", "backbone.hidden=16", "threads=1", "progress=false",
)  # fmt: skip

IMPORTS = {  # what the documented loop needs beside those of the example
    "import Iterator\n": "import Iterator\nfrom functools import partial\n",
    "all_rows, given": "all_rows, ban, given",
    "import hide_exactly\n": "import hide_exactly\nfrom paradigms.decoders.sampling import pick\n",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the documented examples, and one more paradigm with the documented loop."""
    home, left_out = tmp_path_factory.mktemp("copy"), ("__pycache__", *(f"{name}.*" for _, name, _ in SHOWN))
    for name in ("paradigms", "tasks", "conf", "wordways", "tests"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns(*left_out))
    for name in ("pyproject.toml", "CITATION.cff"):
        shutil.copy(ROOT / name, home)
    new.create("paradigm", "cosine_masking", home)
    new.create("task", "repeat_one", home)
    path = new.create("paradigm", "three_pass", home)[0]
    code = path.read_text()
    loop = next(block for block in blocks(PARADIGM_PAGE, "python") if block.startswith("    def decode"))
    code = re.sub(r"    def decode.*?(?=\n    def )", lambda _: loop, code, flags=re.S)
    for line, more in IMPORTS.items():
        assert line in code
        code = code.replace(line, more)
    path.write_text(code)
    return home


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A Python command in the copy: PYTHONPATH is searched before the installed package."""
    environment = os.environ | {"PYTHONPATH": str(home)}
    return subprocess.run([sys.executable, *words], cwd=home, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("what", "name", "page"), SHOWN)
def test_the_page_shows_what_the_command_writes(what: str, name: str, page: Path) -> None:
    for path, content in new.rendered(what, name).items():
        language = {".py": "python", ".yaml": "yaml"}[Path(path).suffix]
        assert f"`{path}`:\n\n```{language}\n{content}```\n" in page.read_text()
        assert len(content.splitlines()) < 60


@pytest.mark.parametrize("what", new.SKELETONS)
def test_the_name_replaces_the_examples_everywhere(what: str) -> None:
    example = new.SKELETONS[what].example
    for path, content in new.rendered(what, "my_new_idea").items():
        assert Path(path).stem == "my_new_idea"
        assert "MyNewIdea" in content
        assert "my new idea" in content or what == "metric" or path.endswith(".py")
        for old in (example, new.snake_case(example), new.spoken(new.snake_case(example))):
            assert not re.search(rf"\b{old}\b", content)


@pytest.mark.parametrize(
    ("what", "name", "said"),
    [
        ("paradigm", "MyModel", "must be snake_case"),
        ("paradigm", "my-model", "must be snake_case"),
        ("paradigm", "../model", "must be snake_case"),
        ("paradigm", "", "must be snake_case"),
        ("paradigm", "m" * 41, "at most 40 characters"),
        ("paradigm", "class", "no Python keyword"),
        ("task", "null", "no YAML value such as null"),
        ("paradigm", "diffusion", "paradigms/diffusion.py exists"),
        ("paradigm", "diffusion_k2", "conf/paradigm/diffusion_k2.yaml exists"),
        ("paradigm", "decoders", "paradigms/decoders exists"),
        ("paradigm", "commit_once", "paradigms/decoders/commit_once.py defines a class CommitOnce"),
        ("paradigm", "tensor", "Tensor is the name of something that modules import"),
        ("task", "path", "Path is the name of something that modules import"),
        ("task", "text", "conf/experiment/text.yaml exists"),
        ("metric", "bleu", "tasks/metrics/overlap.py defines a class Bleu"),
        ("metric", "sudoku", "tasks/sudoku.py defines a class Sudoku"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_one_line(
    what: str, name: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["wordways-new", what, name])
    with pytest.raises(SystemExit) as ended:
        new.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"wordways-new: NAME={name}: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_second_time_is_refused_and_changes_nothing(copy: Path) -> None:
    before = (copy / "paradigms" / "cosine_masking.py").read_text()
    with pytest.raises(ValueError, match=r"^NAME=cosine_masking: paradigms/cosine_masking\.py exists"):
        new.create("paradigm", "cosine_masking", copy)
    assert (copy / "paradigms" / "cosine_masking.py").read_text() == before


@pytest.mark.parametrize(
    "error", [OSError(13, "Permission denied"), FullDiskError("No space left"), KeyboardInterrupt()]
)
def test_all_files_are_written_or_none(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = new.write_atomically

    def full(path: Path, content: str) -> None:
        if path.suffix == ".yaml":
            raise error
        write(path, content)

    monkeypatch.setattr(new, "write_atomically", full)
    expected = ValueError if isinstance(error, PermissionError) else type(error)
    with pytest.raises(expected, match=r"Permission denied|No space left|^$"):
        new.create("task", "my_task", tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_command_says_what_it_wrote_and_what_to_try(copy: Path) -> None:
    done = run(copy, "-m", "wordways.new", "metric", "token_f1")
    assert (done.returncode, done.stderr) == (0, "")
    wrote, first, second = done.stdout.splitlines()
    assert wrote == "wrote tasks/metrics/token_f1.py"
    assert first == "next: pytest tests/test_metric_contract.py -k token_f1"
    assert second.strip() in TASK_PAGE.read_text()
    tried = run(copy, *shlex.split(second)[1:])
    assert (tried.stdout, tried.stderr) == ("0.8\n", "")


def test_what_was_written_meets_the_contracts_and_the_style(copy: Path) -> None:
    if not (copy / "tasks" / "metrics" / "token_f1.py").exists():
        new.create("metric", "token_f1", copy)
    names = ("cosine_masking", "three_pass", "repeat_one", "token_f1")
    chosen = f"{' or '.join(names[:1] + names[2:])} or three_pass and not loss"  # it trains as the first does
    modules = ("paradigms", "floors", "task_contract", "metric_contract")
    files = [f"tests/test_{module}.py" for module in modules]
    done = run(copy, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-k", chosen, *files)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(".") > 30, "the tests of conf/ and tasks/metrics/ discover what was written"
    written = [path for name in names for path in copy.rglob(f"{name}.py")]
    assert len(written) == len(names)
    for command in (["check"], ["format", "--check"]):
        done = run(copy, "-m", "ruff", *command, "--no-cache", *map(str, written))
        assert done.returncode == 0, done.stdout + done.stderr


SCRIPT = """
import json, sys
from wordways.compose import compose_cells
from wordways.run import training
from wordways.run.execute import run_cell
from wordways.settings import SettingError
asked, tiny = json.loads(sys.argv[1])
found = []
for arguments in asked:
    try:
        found.append(len(compose_cells(arguments)))
    except SettingError as error:
        found.append(f"wordways: {error}")
training.VALID_ITEMS = 32
run_cell(*compose_cells(tiny))
print(json.dumps(found))
"""


def test_the_pages_commands_compose_and_a_run_ends_well(copy: Path) -> None:
    """The paradigm on the task, neither of which any other file names; mistakes are found before training."""
    pages = (PARADIGM_PAGE, TASK_PAGE)
    right = [words[1:] for page in pages for words in commands(page) if words[0] == "wordways"]
    wrong = [["paradigm=cosine_masking", "paradigm.power=0.0"], ["task=repeat_one", "task.n=1"]]
    said = [line for page in pages for line in re.findall(r"^wordways: .+", page.read_text(), re.M)]
    asked = [[word for word in words if word != "-m"] for words in right]
    done = run(copy, "-c", SCRIPT, json.dumps([[*asked, *wrong], TINY]))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [2, 1, 4, 6, 4, *said]
    check_record(copy)


@pytest.mark.slow
def test_the_command_itself_ends_with_a_report(copy: Path) -> None:
    done = run(copy, "-m", "wordways", *TINY, "overwrite=always")
    assert done.returncode == 0, done.stderr
    assert "cosine masking" in done.stdout
    check_record(copy)


def check_record(home: Path) -> None:
    """Trained, decoded and scored, with its likelihood."""
    (path,) = (home / "results" / "repeat_one" / "cells").glob("*.json")
    record = json.loads(path.read_text())
    assert record["status"] == "ok", record["reason"]
    assert record["likelihood"]["kind"] == "pseudo"
    assert len(record["likelihood"]["nats"]) == 4
    assert len(record["scores"]["accuracy"]["items"]) == 8
    assert record["config"]["title"] == {"paradigm": "cosine masking", "task": "repeat one, m = 3, n = 6"}


@pytest.mark.parametrize("quotas", [(1, 1, 1, 1), (2, 2), (3, 1), (4,)])
def test_the_examples_analytic_values_are_those_of_its_distribution(quotas: tuple[int, ...]) -> None:
    """By enumeration of all texts: each pass samples its tokens from their marginals given those of earlier passes."""
    scope: dict[str, Any] = {"__name__": "repeat_one"}
    exec(compile(new.rendered("task", "repeat_one")["tasks/repeat_one.py"], "repeat_one", "exec"), scope)
    task = scope["RepeatOne"](3, 4)
    example = next(iter(task.examples("test")))
    answers = [reference.split() for reference in example.references]
    right = 0.0
    for text in answers:
        done, p = 0, 1.0
        for k in quotas:
            possible = [answer for answer in answers if answer[:done] == text[:done]]
            for i in range(done, done + k):
                p *= sum(answer[i] == text[i] for answer in possible) / len(possible)
            done += k
        right += p
    for order, temperature in itertools.product((None, "left_to_right"), (0.0, 1.0)):
        found = task.theory(Setting("accuracy", "all", quotas, order, temperature, "exact"))
        assert (found and found.value) == (right if temperature else None)
    nats = task.theory(Setting("nats_per_token", "all", quotas, None, 1.0, "exact"))
    assert nats.value * task.n == pytest.approx(-scope["math"].log(right / 3))
    assert task.theory(
        Setting("nats_per_token", "all", quotas, "random", 1.0, "bound")
    ).value * task.n == pytest.approx(task.nats(example, example.target))
