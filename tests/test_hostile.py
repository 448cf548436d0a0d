"""Whatever stands in a record is shown as text or refused by name: nothing is executed, nothing breaks a format."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordways.record import Record, canonical, read_records, write_record
from wordways.report.build import write_report
from wordways.report.escape import csv_of, in_latex, in_markdown, one_line
from wordways.report.kinds import kinds
from wordways.report.rows import rows_of
from wordways.report.signature import signature
from wordways.report.style import WIDTH_IN, lettering, letters
from wordways.report.table import SUMMARY
from wordways.report.tables.quality import table as quality_table

NAMES = (
    r"\input{/etc/passwd} {\ ^_~#$%& $\alpha$",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[here](javascript:alert(1)) **bold** `code` | x",
    "\N{BICYCLE} Straße \u05e9\u05dc\u05d5\u05dd \u202egnp.exe\u202c",
    "x" * 10_000 + "\n\x1b[31mred\x07\x00",
)


def renamed(results: Path, to: Path) -> list[Record]:
    """A folder whose every preset has another hostile name and title, and whose texts are hostile and long."""
    shutil.copytree(results, to, ignore=shutil.ignore_patterns("report", "cells"))
    presets = list(dict.fromkeys(record.config["preset"] for record in read_records(results)[0]))
    for record in read_records(results)[0]:
        name = NAMES[presets.index(record.config["preset"])]
        samples = [{**sample, "text": NAMES[1] + "y" * 10_000} for sample in record.samples]
        device = {**record.provenance, "device": f"{NAMES[1]}|seed:9"}
        config = {**record.config, "preset": name, "title": {"paradigm": name, "task": NAMES[0]}}
        changed = replace(record, config=config, samples=samples, provenance=device)
        write_record(to, changed)
    return [record for record in read_records(to)[0] if record.status == "ok"]


@pytest.fixture
def hostile(results: Path, tmp_path: Path) -> list[Record]:
    return renamed(results, tmp_path / "hostile")


def whole(latex: str) -> bool:
    """Environments closed, as many cells on every line, no special that is not escaped; over it lines of comment."""
    latex = re.sub(r"\A(% .*\n)+", "", latex).replace("{%\n", "{\n")
    body = latex[latex.index(r"\toprule") : latex.index(r"\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    cells = {len(re.findall(r"(?<!\\)&", line)) for line in lines}
    opened, closed = (re.findall(rf"\\{word}{{(\w+)}}", latex) for word in ("begin", "end"))
    bare = re.sub(r"\\[a-zA-Z]+|\\[{}_#$%&\\]|\$\\(pm|times)\$", "", latex)
    braces = [bare[: i + 1].count("{") - bare[: i + 1].count("}") for i in range(len(bare))]
    return (
        len(cells) == 1
        and opened == closed[::-1]
        and not set("#$%^~_") & set(re.sub(r"tab:[a-z_]+", "", bare))
        and min(braces) == 0 == braces[-1]
    )


def table_of(records: list[Record]):
    rows = rows_of(records)
    return replace(quality_table(rows), signature=signature(rows))


def test_latex_of_hostile_names_is_whole(hostile: list[Record]) -> None:
    latex = table_of(hostile).latex()
    assert whole(latex)
    assert r"\textbackslash{}input\{/etc/passwd\}" in latex
    assert "[U+202E]" in latex.replace("{[}", "[").replace("{]}", "]")


@given(st.text(max_size=60))
def test_any_text_becomes_whole_latex_and_one_line_of_markdown(text: str) -> None:
    cell = f"\\begin{{x}}\\toprule\n{in_latex(text)} & 1 \\\\\n\\bottomrule\\end{{x}}"
    assert whole(cell)
    shown = in_markdown(text)
    assert "\n" not in shown
    assert "<" not in shown
    assert not re.search(r"(?<!\\)(\\\\)*\|", shown)


def compiled(source: str, folder: Path) -> str:
    """The log of pdflatex. Skips the test where it is not installed."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not on PATH: the structure alone was checked")
    if not subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).stdout:
        pytest.skip("pdflatex has no booktabs here: the structure alone was checked")
    (folder / "t.tex").write_text(source + "\n\\end{document}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, log[-2000:]
    return log


def test_pdflatex_compiles_it(hostile: list[Record], results: Path, tmp_path: Path) -> None:
    tables = [table_of(records).latex() for records in (hostile, rows_records(results))]
    tables = [table.replace("x" * 1000, "") for table in tables]
    head = "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
    compiled(head + "\n".join(tables), tmp_path)


@pytest.mark.parametrize("inches", [3.03, 3.33, 5.5])
def test_every_table_fits_the_column_of_a_paper(results: Path, tmp_path: Path, inches: float) -> None:
    """The columns of ACL's and ACM's styles, and the page of NeurIPS'."""
    rows = rows_of(rows_records(results))
    tables = [table.latex() for kind in kinds("tables") if (table := kind.table(rows)) is not None]
    page = f"\\usepackage[textwidth={inches}in]{{geometry}}\n\\usepackage{{booktabs,graphicx}}\n\\begin{{document}}\n"
    log = compiled("\\documentclass[10pt]{article}\n" + page + "\n".join(tables), tmp_path)
    assert "Overfull" not in log


def rows_records(results: Path) -> list[Record]:
    return [record for record in read_records(results)[0] if record.status == "ok"]


def test_a_report_of_hostile_records_is_text(hostile: list[Record], tmp_path: Path) -> None:
    shown = write_report(tmp_path / "hostile")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    folder = tmp_path / "hostile" / "report"
    for path in folder.glob("*.md"):
        text = path.read_text().replace(f"<details><summary>{SUMMARY}</summary>", "").replace("</details>", "")
        assert not re.search(r"<(?!/?u>)[a-z/]", text), path.name
        assert not re.search(
            r"\]\((?!quality|order|latency|throughput|oracles|theory|error|accumulated|sweep)", text
        ), path.name
    for path in folder.glob("*.svg"):
        assert "<script" not in path.read_text()
    assert len(hostile) == 6


def test_names_are_drawn_in_letters_the_font_has() -> None:
    for name in NAMES:
        drawn = lettering(name, 40)
        assert len(drawn) <= 40
        assert {ord(letter) for letter in drawn} <= letters()
    assert set(WIDTH_IN) == {1, 2}


@given(st.text(st.sampled_from("=+-@\t\r\n1a.,%e' "), max_size=8))
def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(cell: str) -> None:
    text = csv_of(pd.DataFrame({"a": [1], cell: [cell]}))
    cell = cell.replace("\r", "\n")
    for shown in [line[-1] for line in csv.reader(io.StringIO(text, newline=""))]:
        assert shown in (cell, f"'{cell}")
        assert not shown.startswith(("=", "+", "-", "@", "\t", "\r")) or re.match(r"[+-]\.?\d", shown)
        assert shown == cell or not re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?%?", cell)


def test_cells_of_formulas_are_escaped_and_numbers_are_not() -> None:
    numbers = ["-0.5", "+0.012", "-1.2e-05", "+3.1%", "-0.5 to +0.1", "–", "1,024", "nan", "NA"]
    frame = pd.DataFrame(
        {"=a": ["=1+1", "-2+3+cmd|' /C calc'!A0", "@x", "\tx", *numbers], "n": range(4 + len(numbers))}
    )
    read = pd.read_csv(io.StringIO(csv_of(frame)), keep_default_na=False, dtype=str)
    assert list(read.columns) == ["'=a", "n"]
    assert list(read["'=a"]) == ["'=1+1", "'-2+3+cmd|' /C calc'!A0", "'@x", "'\tx", *numbers]


@pytest.mark.parametrize("names", [("a_b", "a b", "a-b"), ("nan", "NA", "None"), ("A", "a", "Ä")])
@pytest.mark.parametrize("place", ["preset", "task", "stratum"])
def test_names_that_differ_in_one_sign_or_read_as_missing_values(
    results: Path, tmp_path: Path, undrawn: None, names: tuple[str, ...], place: str
) -> None:
    """Every configuration has a line of its own in every table, under its own label."""
    record = next(record for record in read_records(results)[0] if record.status == "ok")
    for number, name in enumerate(names):
        config, strata = {**record.config, "title": {}}, record.strata
        if place == "preset":
            config["preset"] = name
        elif place == "task":
            config["task"] = {**config["task"], "corpus_name": name}
        else:
            config["preset"], strata = f"p{number}", {item: name for item in strata}
        write_record(tmp_path, replace(record, cell=f"{number:016x}", config=config, strata=strata))
    rows = rows_of(read_records(tmp_path)[0])
    assert len({(row.task, row.label) for row in rows}) == len(rows) == len(names)
    write_report(tmp_path)
    lines = [pd.read_csv(path, dtype=str) for path in (tmp_path / "report").glob("quality_*.csv")]
    assert sum(map(len, lines)) == len(names)


def test_lines_are_one_and_steer_nothing() -> None:
    assert one_line("a\r\nb\u2028c\x1b[2J\u202e") == "a b c[U+001B][2J[U+202E]"


def test_older_and_broken_records_are_refused_by_name(results: Path, tmp_path: Path, undrawn: None) -> None:
    shutil.copytree(results, tmp_path / "old", ignore=shutil.ignore_patterns("report"))
    first, second, third, *_ = sorted((tmp_path / "old" / "cells").iterdir())
    first.write_text(first.read_text().replace('"schema":2', '"schema":0'))
    second.write_text(second.read_text().replace('"trace":', '"track":', 1))
    third.write_text(third.read_text().replace('"seed":0', '"seed":NaN', 1))
    shown = write_report(tmp_path / "old")
    assert f"{first.name}: schema 0; this version reads schemas 1 and 2" in shown
    assert f"{second.name}: lacks trace" in shown
    assert f"{third.name}: not readable as JSON (" in shown


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"operations": ["<img src=x>"]}, "no analytic values: task.operations[0]=<img src=x>"),
        (
            {"_target_": "tasks.nowhere.Gone"},
            "no analytic values: task._target_=tasks.nowhere.Gone: must be the public name",
        ),
        (
            {"_target_": "pathlib.Path.touch"},
            "no analytic values: task._target_=pathlib.Path.touch: must be the public name",
        ),
        ({"_target_": "tasks.Gone"}, "no analytic values: _target_=tasks.Gone: no such class"),
        (
            {"_target_": "tasks.corpus.quiet"},
            "no analytic values: task._target_=tasks.corpus.quiet: must be the public",
        ),
        ({"_target_": "tasks.Example"}, "no analytic values: task._target_=tasks.Example: is no task"),
        ({"_target_": "tasks.LmEval"}, "no analytic values: task._target_=tasks.LmEval: is not built for a report"),
        (
            {"inner": {"_target_": "os.system"}},
            "no analytic values: task.inner._target_=os.system: must be the public name",
        ),
    ],
)
def test_a_task_this_version_does_not_know_has_numbers_and_no_theory(
    results: Path, tmp_path: Path, task: dict[str, object], reason: str, undrawn: None
) -> None:
    record = next(record for record in read_records(results)[0] if record.status == "ok")
    write_record(tmp_path, replace(record, config={**record.config, "task": {**record.config["task"], **task}}))
    shown = write_report(tmp_path)
    assert reason in shown
    assert "Means of accuracy" in shown
    (table,) = (tmp_path / "report").glob("quality_*.md")
    assert "Units: accuracy (share)." in table.read_text()


@pytest.mark.parametrize("config", [None, {"paradigm": {"_target_": 3}}, {"task": {"_target_": "os"}}])
def test_a_record_that_does_not_say_what_it_is_of_is_refused_by_name(
    results: Path, tmp_path: Path, config: dict[str, object] | None
) -> None:
    record = next(record for record in read_records(results)[0] if record.status == "ok")
    path = write_record(tmp_path, record)
    fields = json.loads(path.read_text())
    path.write_text(canonical(fields | {"config": {**fields["config"], **config} if config else config}))
    assert f"not a record: {path.name}: field config" in write_report(tmp_path)
