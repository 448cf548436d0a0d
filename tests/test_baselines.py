"""Trivial baselines: what their texts are, that every task has them, and that only tables of quality show them."""

import itertools
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import test_task_contract as contract
from conftest import SMALL, cell

import wordways
from tasks.base import Alphabet, Drawn, Example, Setting, Split
from tasks.baselines import (
    Baseline,
    CopiedPrompt,
    MajorityTarget,
    NearestExample,
    OtherReference,
    UnigramSample,
    baselines_of,
)
from tasks.metrics.accuracy import Accuracy
from wordways.record import Record, cell_id, read_records, write_record
from wordways.report.baselines import all_rows, baseline_rows
from wordways.report.build import write_report
from wordways.report.compare import compare
from wordways.report.oracles import oracle_lines
from wordways.report.rows import BASELINE, rows_of
from wordways.report.tables import quality
from wordways.run.baselines import add_baselines
from wordways.run.cell import Cell
from wordways.run.scores import scores
from wordways.settings import locate

FEW = 20
TITLES = [kind.title for kind in Baseline.__subclasses__()]
corpora = contract.corpora
task = contract.task


class Planted(Drawn):
    """A task whose training examples are given."""

    holes = "suffix"
    strata = ("one", "two")
    metrics = (Accuracy(),)

    def __init__(self, training: Sequence[Example], vocabulary: Sequence[str] | Alphabet = ("a", "b")):
        self.training, self.words = training, vocabulary

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        return itertools.islice(self.training, first, None)

    def vocabulary(self) -> Sequence[str] | Alphabet:
        return self.words

    def score(self, example: Example, text: str) -> dict[str, float]:
        return {"accuracy": float(text == example.target)}

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> None:
        return None


def item(name: str, prompt: str, target: str, stratum: str = "one", suffix: str = "", instance: str = "") -> Example:
    return Example(name, prompt, target, suffix, stratum=stratum, instance=instance)


def test_every_task_has_baselines_whose_texts_can_be_scored(task: contract.Task) -> None:
    examples = contract.some(task, "test", FEW)
    known = task.vocabulary()
    allowed = None if isinstance(known, int) else set(known)
    assert bool(baselines_of(task)) is not task.asks_for_drafts
    for baseline in baselines_of(task):
        texts = baseline.texts(task, examples)
        assert texts == baseline.texts(task, examples), "the same ones at every call"
        assert len(texts) == len(examples)
        for example, text in zip(examples, texts, strict=True):
            assert text == text.strip(), "as decoded texts are"
            assert allowed is None or set(text.split()) <= allowed or set(text) <= allowed
            found = task.score(example, text)
            assert all(value is None or math.isfinite(value) for value in map(contract.number, found.values()))
        entries = scores(task, examples, texts)
        assert list(entries) == [metric.name for metric in task.metrics]


def test_where_nothing_is_given_texts_of_the_data_are_no_baseline(task: contract.Task) -> None:
    """Any of them is right there, whatever a model has learned."""
    given = any(example.prompt or example.suffix for example in contract.some(task, "test", FEW))
    kinds = {type(baseline) for baseline in baselines_of(task)}
    known = set(Baseline.__subclasses__()) if "train" in task.splits else {CopiedPrompt, OtherReference}
    assert kinds == (set() if task.asks_for_drafts else known if given else {UnigramSample})


def test_baselines_have_names_of_their_own_and_titles_in_words() -> None:
    kinds = Baseline.__subclasses__()
    assert len({kind.name for kind in kinds}) == len({kind.title for kind in kinds}) == len(kinds) == 5
    assert all("_" not in kind.title for kind in kinds)
    assert all(locate(f"tasks.{kind.__name__}") is kind for kind in kinds)


def test_a_prompt_is_copied_as_far_as_the_reference_reaches() -> None:
    examples = [item("1", "a b a b", "b b"), item("2", "a", "b a b", suffix="b b b"), item("3", "", "a")]
    assert CopiedPrompt().texts(Planted(examples), examples) == ["a b", "a b b", ""]
    letters = [item("1", "ab ba", "bbb")]
    assert CopiedPrompt().texts(Planted(letters, Alphabet("ab ")), letters) == ["ab"], "its last letter is a space"


def test_copying_solves_the_list_operations_that_it_can(corpora: Path) -> None:
    """The items of shuffle are a right answer to it, and copying is one; of the others none is."""
    task = contract.built("list_operations", corpora)
    examples = contract.some(task, "test", 200)
    texts = CopiedPrompt().texts(task, examples)
    right = [e.stratum for e, text in zip(examples, texts, strict=True) if task.score(e, text)["accuracy"] == 1]
    assert Counter(right) == {"copy": 40, "shuffle": 40}


@pytest.mark.parametrize("name", ["error_injection", "edit_from_prompt"])
def test_of_a_revision_task_the_draft_is_copied(name: str, corpora: Path) -> None:
    task = contract.built(name, corpora)
    examples = contract.some(task, "test", FEW)
    for example, text in zip(examples, CopiedPrompt().texts(task, examples), strict=True):
        assert text == task.draft_of(example) != ""
        assert contract.number(task.score(example, text)["net_gain"]) == 0


def test_unigrams_are_as_frequent_as_in_the_training_targets_of_the_stratum() -> None:
    training = [item("1", "x", "a a a b"), item("2", "x", "b b b b", "two")]
    asked = [item(f"test-{number}", "x", "b b b b b") for number in range(2000)]
    texts = UnigramSample().texts(Planted(training), asked)
    assert {len(text.split()) for text in texts} == {5}
    share = " ".join(texts).split().count("a") / 10_000
    assert abs(share - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 10_000)
    assert UnigramSample().texts(Planted(training), asked[7:8]) == texts[7:8], "seeded by the item's name"


def test_the_majority_is_of_the_stratum_where_training_has_it() -> None:
    training = [item("1", "x", "a"), item("2", "x", "b"), item("3", "x", "b"), *[item("4", "x", "c", "two")] * 3]
    asked = [item("5", "x", "a"), item("6", "x", "a", "two"), item("7", "x", "a", "three")]
    assert MajorityTarget().texts(Planted(training), asked) == ["b", "c", "c"]


def test_the_nearest_example_is_that_of_the_most_similar_context() -> None:
    training = [item("1", "a a a a", "a"), item("2", "b b b b", "b"), item("3", "a a a b", "c", "two")]
    asked = [item("4", "a a a b", "?"), item("5", "b b a b", "?"), item("6", "b b b b", "?", "two")]
    assert NearestExample().texts(Planted(training), asked) == ["a", "b", "c"]


def test_another_items_reference_is_of_another_instance() -> None:
    of_two = [item(f"{i}", "x", "ab"[i], instance="story") for i in range(2)]
    asked = [*of_two, item("3", "x", "c", instance="other"), item("4", "x", "d", "two")]
    assert OtherReference().texts(Planted(asked), asked) == ["c", "c", "a", ""]


@pytest.fixture
def folder(results: Path, tmp_path: Path) -> Path:
    shutil.copytree(results, tmp_path / "small", ignore=shutil.ignore_patterns("report"))
    return tmp_path / "small"


def cells_of(folder: Path, *more: str) -> list[Cell]:
    places = (f"results={folder}", f"checkpoints={folder.parent / 'checkpoints'}")
    return [cell(f"paradigm={preset}", *SMALL, *places, *more) for preset in ("autoregressive", "parallel")]


def trivial(folder: Path) -> list[Record]:
    records, refused = read_records(folder)
    assert not refused
    return [record for record in records if record.is_baseline]


def test_a_finished_task_gets_one_record_for_each_baseline(folder: Path) -> None:
    cells = cells_of(folder)
    trained, _ = read_records(folder)
    add_baselines(cells)
    found = trivial(folder)
    assert {record.config["title"]["paradigm"] for record in found} == set(TITLES)
    rival = next(record for record in trained if record.status == "ok" and record.item_ids)
    for record in found:
        assert (record.status, record.config["seed"], record.budgets, record.timing) == ("ok", 0, {}, [])
        assert record.cell == cell_id(record.config)
        assert record.config["task"] == rival.config["task"]
        assert (record.item_ids, record.strata) == (rival.item_ids, rival.strata)
        assert record.scores.keys() == rival.scores.keys()
        assert len(record.samples) == len(rival.samples)
    copied = next(record for record in found if record.config["preset"] == CopiedPrompt.name)
    by_stratum = {name: {copied.scores["accuracy"]["items"][i] for i in copied.places[name]} for name in copied.places}
    assert by_stratum == {"copy": {1}, "replace_random": {0}, "shuffle": {1}}


def test_what_is_there_stays_unless_it_is_asked_for_again(folder: Path) -> None:
    add_baselines(cells_of(folder))
    paths = [folder / "cells" / f"{record.cell}.json" for record in trivial(folder)]
    before = {path: path.stat().st_mtime_ns for path in paths}
    add_baselines(cells_of(folder))
    assert {path: path.stat().st_mtime_ns for path in paths} == before
    add_baselines(cells_of(folder, "overwrite=always"))
    assert all(path.stat().st_mtime_ns > before[path] for path in paths)


def test_a_task_without_finished_runs_gets_none(folder: Path) -> None:
    skipped = cells_of(folder, "task.instruction=after")[:1]
    add_baselines(skipped)
    assert trivial(folder) == []


def test_a_baseline_that_fails_is_a_record_with_the_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[str]:
        raise RuntimeError("no text")

    monkeypatch.setattr(MajorityTarget, "texts", broken)
    add_baselines(cells_of(folder))
    failed = [record for record in trivial(folder) if record.status == "failed"]
    assert [record.reason.splitlines()[-1] for record in failed] == ["RuntimeError: no text"]
    assert len(trivial(folder)) == len(TITLES)


def test_own_drafts_are_never_made_up() -> None:
    own = cell("task=own_errors", "paradigm=diffusion", "progress=false")
    assert baselines_of(own.task) == []


def test_only_tables_of_quality_show_them(folder: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> None:
    write_report(folder)
    without = {path.name: path.read_bytes() for path in (folder / "report").iterdir()}
    add_baselines(cells_of(folder))
    monkeypatch.setattr(quality, "BASELINES", True, raising=False)
    write_report(folder)
    shown = {path.name: path.read_text() for path in (folder / "report").glob("*.md")}
    task = rows_of(read_records(folder)[0])[0].task
    assert all(title in shown[f"quality_{task}.md"] for title in TITLES)
    assert not any(title in shown[f"speed_{task}.md"] for title in TITLES)
    for name in (f"speed_{task}.csv", f"likelihood_{task}.csv", f"budgets_{task}.csv", "data.csv", "oracles.jsonl"):
        assert (folder / "report" / name).read_bytes() == without[name]
    page = (folder / "report" / "index.html").read_text()
    assert all(f'"label":"{title}"' in page for title in TITLES)


def test_other_readers_of_a_folder_do_not_mistake_them_for_configurations(folder: Path) -> None:
    before, _ = read_records(folder)
    add_baselines(cells_of(folder))
    records, _ = read_records(folder)
    assert [row.label for row in rows_of(records)] == [row.label for row in rows_of(before)]
    assert oracle_lines(records) == oracle_lines(before)
    table, only = compare(records, before)
    assert only == []
    assert not set(TITLES) & set(table.frame[""])
    frames = wordways.load(folder)
    assert len(frames.cells) == len(records)
    assert set(TITLES) <= set(frames.cells[frames.cells["paradigm"] == BASELINE]["row"])
    assert not set(TITLES) & set(frames.numbers["row"])


def test_rows_of_baselines_are_named_as_their_task_and_stand_behind(folder: Path) -> None:
    add_baselines(cells_of(folder))
    records, _ = read_records(folder)
    rows = all_rows(records)
    assert [row.label for row in rows if row.baseline] == sorted(TITLES)
    assert [row.baseline for row in rows] == sorted(row.baseline for row in rows)
    assert len({(row.task, row.title) for row in rows}) == 1
    assert baseline_rows([record for record in records if record.is_baseline], []) == {}


def test_baselines_on_other_numbers_of_items_are_told_apart(folder: Path) -> None:
    add_baselines(cells_of(folder))
    records, _ = read_records(folder)
    fewer = [smaller(record, 2) for record in records if record.is_baseline]
    labels = [row.label for row in all_rows([*records, *fewer]) if row.baseline]
    assert "copied prompt (2 items)" in labels
    assert "copied prompt (120 items)" in labels
    assert len(set(labels)) == 2 * len(TITLES)


def smaller(record: Record, count: int) -> Record:
    config: dict[str, Any] = {**record.config, "measure": {"items": 1}}
    return replace(record, cell=cell_id(config), config=config, item_ids=record.item_ids[:count])


def test_a_baseline_can_be_told_from_its_file_alone(folder: Path, tmp_path: Path) -> None:
    add_baselines(cells_of(folder)[:1])
    for record in trivial(folder):
        write_record(tmp_path / "again", record)
    assert [record.cell for record in trivial(tmp_path / "again")] == [record.cell for record in trivial(folder)]
    assert all(record.config["backbone"] == record.config["train"] == {} for record in trivial(folder))
