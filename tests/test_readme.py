"""The README is true: its commands compose or run, its tables are the reports', its links lead somewhere."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from conftest import ROOT, one_of_each_task
from test_real_text import every_set

from wordways.compose import compose_cells
from wordways.report.build import main as report
from wordways.report.claims import main as claims

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.S)
COMMANDS = [shlex.split(part, comments=True) for block in BLOCKS for part in re.split(r"\n|&&", block) if part.strip()]
RUNS = [command[1:] for command in COMMANDS if command[0] == "wordways"]
REPORTS = [command[1:] for command in COMMANDS if command[0] == "wordways-report"]


def test_the_commands_are_those_we_know() -> None:
    assert {command[0] for command in COMMANDS} == {"pip", "pytest", "wordways", "wordways-report", "wordways-claims"}
    assert COMMANDS[:4] == [
        ["pip", "install", "-e", "."], ["wordways"], ["pip", "install", "-e", ".[test]"], ["pytest", "-n", "auto"]
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_every_run_composes(arguments: list[str], tmp_path: Path) -> None:
    """What is asked for, and of what an experiment brings one cell of each task: test_results has them all."""
    if {"experiment=text", "experiment=distillation", "task=translation"} & set(arguments):
        every_set(tmp_path)
        arguments = [a.replace("<folder>", str(tmp_path)) for a in arguments]
        arguments += [] if any(a.startswith("task.data=") for a in arguments) else [f"task.data={tmp_path}"]
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
    assert shown.strip() == (ROOT / path).read_text().strip()


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 10
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link
