"""The documentation is true: links resolve, tables are current, commands compose, and the words are the field's."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest
from checkpoints import with_checkpoints
from conftest import CONF, ROOT, one_of_each_task
from test_real_text import every_set
from test_results import FOLDERS

from wordways.compose import compose_cells
from wordways.report import __main__ as report

DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "results" / "README.md"]
EXTENDING = [page for page in DOCS if page.name.startswith("add-")]  # their examples are new files: a test of their own
PROSE = [*PAGES, ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(CONF.rglob("*.yaml"))]
PROSE += sorted((ROOT / "wordways" / "report").rglob("*.py")) + [
    page for folder in FOLDERS for page in sorted((ROOT / folder / "report").glob("*.md"))
]
DIALECT = (
    "way of writing", "ways of writing", "way of generating", "written at once", "writes everything at once",
    "writes all at once", "surest first", "surest", "slow cores", "faster ones", "theory demands", "what cannot be had",
    "goes before a judge", "mends", "mended", "spoilt", "masking again", "opening tokens", "says when it is done",
    "what training has shown", "drawing from its law", "drawn from its law", "the exact law", "left to right writes",
    "lines hold", "no row is worse", "the data's own", "stands apart", "stand apart", "twice the training", "untold=",
    "told=", "prove themselves", "nobody", "in whatever order", "a private dialect",
)  # fmt: skip
SLUG = re.compile(r"[^\w\- ]")

generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.S | re.M)


def commands(page: Path) -> list[list[str]]:
    """The commands of a page's bash blocks, split into words, without what starts them several times."""
    whole = [block.replace("\\\n", " ") for block in blocks(page, "bash")]
    found = [shlex.split(part, comments=True) for block in whole for part in re.split(r"\n|&&", block)]
    return [words[words.index("-m") + 1 :] if "torchrun" in words else words for words in found if words]


OF_DOCS = [command for page in DOCS if page not in EXTENDING for command in commands(page)]
RUNS = [command[1:] for command in OF_DOCS if command[0] == "wordways"]
REAL = {f"experiment={name}" for name in ("text", "distillation", "pretrained_small")}  # commands on real text
REAL |= {f"task={name}" for name in ("translation", "continuation", "lambada", "data_to_text")}


def anchors(page: Path) -> set[str]:
    """The names that a code host gives to a page's headings."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    return {SLUG.sub("", title.lower()).strip().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", prose, re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_one_title_and_says_what_it_answers(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    assert len(re.findall(r"^# ", prose, re.M)) == 1
    _, opening, *_ = prose.split("\n\n")
    assert re.match(r"[A-Z][^|#]*\.", opening)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    assert links
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "README.md").read_text()))
    assert linked == {page.name for page in DOCS} - {"README.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_current(page: Path) -> None:
    """Those of reports and those made from code: `python docs/generate.py` refreshes both."""
    assert generate["refreshed"](page.read_text()) == page.read_text()


def test_the_schema_of_a_record_is_current() -> None:
    assert generate["SCHEMA"].read_text() == generate["schema_text"]()


def test_all_generated_tables_are_shown() -> None:
    shown = {name for page in DOCS for name in re.findall(r"<!-- generated: (\w+) -->", page.read_text())}
    assert shown == generate["TABLES"].keys()


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_every_run_composes(arguments: list[str], tmp_path: Path) -> None:
    """What is asked for, and of what an experiment brings one run of each task."""
    arguments = with_checkpoints(arguments, tmp_path)
    if REAL & set(arguments):
        every_set(tmp_path)
        arguments = [a.replace("<folder>", str(tmp_path)) for a in arguments]
        arguments += [] if any(a.startswith("task.data=") for a in arguments) else [f"task.data={tmp_path}"]
    assert compose_cells(one_of_each_task([argument for argument in arguments if argument != "-m"]))


def test_every_program_and_option_exists(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert {command[0] for command in OF_DOCS} <= {"pip", *scripts}
    monkeypatch.setattr("sys.argv", ["wordways-report", "--help"])
    with pytest.raises(SystemExit):
        report.main()
    known = capsys.readouterr().out
    for command in OF_DOCS:
        if command[0] == "wordways-report":
            assert all(word in known for word in command if word.startswith("--")), command


@pytest.mark.parametrize("code", [block for page in DOCS if page not in EXTENDING for block in blocks(page, "python")])
def test_python_examples_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code, "docs", "exec"), {})


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_words_are_the_fields(page: Path) -> None:
    """No page speaks the dialect that the project began with."""
    text = " ".join(page.read_text().lower().split())
    assert [phrase for phrase in DIALECT if re.search(rf"\b{re.escape(phrase)}", text)] == []
