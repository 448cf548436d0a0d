"""The README is true and short: its commands compose or run, its table is the report's, its links resolve."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from checkpoints import with_checkpoints
from conftest import ROOT, one_of_each_task
from test_docs import anchors
from test_new import copy as copy
from test_new import run as run_python
from test_real_text import every_set

from wordways.compose import compose_cells
from wordways.report.__main__ import main as report
from wordways.report.claims import main as claims

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.S)
COMMANDS = [shlex.split(part, comments=True) for block in BLOCKS for part in re.split(r"\n|&&", block) if part.strip()]
NEW = next(command[2] for command in COMMANDS if command[0] == "wordways-new")  # what the commands after it run
RUNS = [command[1:] for command in COMMANDS if command[0] == "wordways" and NEW not in " ".join(command)]
REPORTS = [command[1:] for command in COMMANDS if command[0] == "wordways-report"]
LINES, WORDS = 200, 1300


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= LINES
    assert len(TEXT.split()) <= WORDS


def test_what_a_new_paradigm_needs_works(copy: Path) -> None:
    """The commands on `wordways-new`'s example, in a copy in which it stands: composed, and found by the tests."""
    assert ["wordways-new", "paradigm", NEW] in COMMANDS
    (run,) = (command[1:] for command in COMMANDS if command[0] == "wordways" and NEW in " ".join(command))
    code = f"from wordways.compose import compose_cells; print([cell.preset for cell in compose_cells({run})])"
    done = run_python(copy, "-c", code)
    assert done.stdout.strip() == f"['autoregressive', '{NEW}']", done.stderr
    (found,) = (command[1:] for command in COMMANDS if command[0] == "pytest" and "-k" in command)
    done = run_python(
        copy, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "tests/test_paradigms.py", *found
    )
    assert done.stdout.count(f"[{NEW}") > 10, done.stdout + done.stderr


def test_the_commands_are_those_we_know() -> None:
    assert {command[0] for command in COMMANDS} == {
        "pip",
        "pytest",
        "wordways",
        "wordways-lm-eval",
        "wordways-new",
        "wordways-report",
        "wordways-claims",
    }
    assert COMMANDS[:4] == [
        ["pip", "install", "-e", "."], ["wordways"], ["pip", "install", "-e", ".[test]"], ["pytest", "-n", "auto"]
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_every_run_composes(arguments: list[str], tmp_path: Path) -> None:
    """What is asked for, and of what an experiment brings one cell of each task: test_results has them all."""
    if any("<folder>" in argument for argument in arguments):
        every_set(tmp_path)
        arguments = [a.replace("<folder>", str(tmp_path)) for a in with_checkpoints(arguments, tmp_path)]
    assert compose_cells(one_of_each_task([argument for argument in arguments if argument != "-m"]))


@pytest.mark.parametrize("arguments", REPORTS, ids=" ".join)
def test_every_report_runs(
    arguments: list[str], results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["wordways-report", *(str(results) if a.startswith("results/") else a for a in arguments)]
    )
    report()
    assert "list_operations" in capsys.readouterr().out


def test_the_claims_are_decided(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (arguments,) = (command[1:] for command in COMMANDS if command[0] == "wordways-claims")
    monkeypatch.setattr(sys, "argv", ["wordways-claims", *(str(ROOT / a) for a in arguments), "--out", str(tmp_path)])
    claims()
    assert capsys.readouterr().out.count("not measured") == 0


@pytest.mark.parametrize(("path", "shown"), re.findall(r"<!-- table: (\S+) -->\n(.*?)<!-- end -->", TEXT, re.S))
def test_the_tables_are_the_reports(path: str, shown: str) -> None:
    """Up to the details, which stay in the report."""
    assert shown.strip() == (ROOT / path).read_text().partition("\n<details>")[0].strip()


def test_links_resolve() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 10
    for link in links:
        path, _, anchor = link.partition("#")
        assert link.startswith("https://") or (ROOT / path).exists(), link
        assert not anchor or path or anchor in anchors(ROOT / "README.md"), link
