"""A teacher's texts in place of the data's: whose they are, that they are kept, what they cost, who says so."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import SMALL, cell, noise

from tasks.base import Example
from wordways.record import Record, read_records
from wordways.report.build import write_report
from wordways.report.oracles import oracle_lines
from wordways.report.rows import rows_of
from wordways.report.tables.budgets import table as budget_table
from wordways.run.cell import Cell
from wordways.run.execute import run_cell
from wordways.run.shared import text_of
from wordways.run.text import Stream
from wordways.run.train import Batch
from wordways.run.train import fit as real_fit
from wordways.run.training import trained
from wordways.settings import SettingError


def distilled(folder: Path, *overrides: str, preset: str = "parallel_distilled") -> Cell:
    places = (f"results={folder / 'results'}", f"checkpoints={folder / 'checkpoints'}")
    return cell(f"paradigm={preset}", *SMALL, *places, *overrides)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    """The streams that were trained on, in order."""
    seen: list[Stream] = []

    def fit(*args, **named):
        seen.append(args[1])
        return real_fit(*args, **named)

    monkeypatch.setattr("wordways.run.training.fit", fit)
    return seen


def test_student_learns_what_its_teacher_writes(tmp_path: Path, streams: list[Stream]) -> None:
    one = distilled(tmp_path, "train.steps=200")
    text = text_of(json.dumps(one.nodes["task"]), one.run.checkpoints)
    made = trained(one, text, one.run.torch_device(), lambda: None)
    plain, taught = streams
    assert made.teacher is not None
    examples = [example for _, example in zip(range(32), text.task.examples("train"), strict=False)]
    rows = text.encode(examples)
    *_, ids_BL = made.teacher.paradigm.decode(
        canvas := text.blank(rows, "eos"), noise(*(example.id for example in examples))
    )
    for number, (ids_L, holes_L) in enumerate(zip(ids_BL, canvas.holes_BL, strict=True)):
        written = text.useful(ids_L, holes_L) or plain.generated(number).target
        assert taught.generated(number).target == written
        assert taught.generated(number).prompt == plain.generated(number).prompt
    assert any(taught.generated(number) != plain.generated(number) for number in range(32))


def test_student_is_validated_on_what_its_teacher_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its best weights are those that know its teacher best; the data's own wordings it unlearns."""
    sets: list[list[Batch]] = []
    monkeypatch.setattr("wordways.run.training.fit", lambda *args: [sets.append(args[2]), real_fit(*args)][1])
    one = distilled(tmp_path, "train.steps=200")
    text = text_of(json.dumps(one.nodes["task"]), one.run.checkpoints)
    made = trained(one, text, one.run.torch_device(), lambda: None)
    (plain, ids), (taught, same) = sets[0][0], sets[1][0]
    assert ids == same
    assert made.teacher is not None
    rows = text.encode([example for _, example in zip(ids, text.task.examples("valid"), strict=False)])
    *_, ids_BL = made.teacher.paradigm.decode(canvas := text.blank(rows, "eos"), noise(*ids))
    for number, (ids_L, holes_L) in enumerate(zip(ids_BL, canvas.holes_BL, strict=True)):
        row = taught.ids_BL[number], taught.holes_BL[number]
        assert text.useful(*row) == text.useful(ids_L, holes_L)
    assert not torch.equal(plain.ids_BL, taught.ids_BL)


def test_teacher_is_the_row_it_is_named_after(tmp_path: Path) -> None:
    """Trained once: as a row of the comparison and as a teacher it has one checkpoint."""
    one, row = distilled(tmp_path), distilled(tmp_path, preset="autoregressive_prefix")
    assert one.teacher is not None
    assert one.teacher.training_key == row.training_key
    assert len({one.training_key, one.id, row.training_key, distilled(tmp_path, preset="parallel").training_key}) == 4


def test_texts_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run_cell(distilled(tmp_path))
    assert record.status == "ok", record.reason
    kept = sorted((tmp_path / "checkpoints").glob("*/texts-*/*.json"))
    assert len(kept) == 2, "20 steps of 16 are a part of one chunk; the other is what is validated on"

    def never(*_: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr("wordways.run.teacher.write_texts", never)
    again = run_cell(distilled(tmp_path, "train.steps=20", "overwrite=always"))
    assert again.status == "ok", again.reason
    assert again.budgets == record.budgets


def test_cost_of_the_teacher_is_counted_apart(tmp_path: Path) -> None:
    taught, plain = (run_cell(distilled(tmp_path, preset=name)) for name in ("parallel_distilled", "parallel"))
    teacher = run_cell(distilled(tmp_path, preset="autoregressive_prefix"))
    files = (tmp_path / "checkpoints").glob("*/texts-*/*.json")
    written = sum(json.loads(file.read_text())["flops"] for file in files)
    assert taught.budgets["teacher_flops"] == teacher.budgets["flops"] + written
    assert taught.budgets["flops"] == pytest.approx(plain.budgets["flops"], rel=0.05)
    assert "teacher_flops" not in plain.budgets


def test_report_says_who_was_taught_and_gives_no_theory(tmp_path: Path, undrawn: None) -> None:
    """What theory demands is about the data, not about what a teacher makes of them."""
    records = [run_cell(distilled(tmp_path, preset=name)) for name in ("parallel_distilled", "parallel")]
    write_report(tmp_path / "results")
    table = (tmp_path / "results" / "report" / "budgets_list_operations_n_4.md").read_text()
    header, plain, taught = (
        next(line for line in table.splitlines() if line.startswith(start))
        for start in ("|  |", "| parallel |", "| parallel (distilled) |")
    )
    assert "| trained on | teacher | teacher compute (TFLOP) |" in header
    assert "| data | – | – |" in plain
    assert "| teacher's texts | autoregressive |" in taught
    assert {line["preset"] for line in oracle_lines(records)} == {"parallel"}


def test_without_a_teacher_nobody_speaks_of_one(results: Path, tmp_path: Path) -> None:
    table = budget_table(rows_of(read_records(results)[0]))
    assert not any("teacher" in column for column in table.frame.columns)
    assert "teacher" not in table.note


def test_finite_data_are_rewritten_too(tmp_path: Path, streams: list[Stream]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for split, count in (("train", 40), ("val", 8), ("test_2016_flickr", 8)):
        for language, words in (("en", "one two three four five"), ("de", "eins zwei drei vier fünf")):
            lines = [" ".join(words.split()[i % 5 :]) + f" {i}" for i in range(count)]
            with gzip.open(folder / f"{split}.{language}.gz", "wt", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
    record = run_cell(
        cell(
            "paradigm=parallel_distilled", "task=translation", f"task.data={folder}", "task.pieces=300",
            "backbone=nano", "train.steps=6", "train.batch=8", "measure.items=8", "measure.batches=[1]",
            "measure.timed=1", "measure.lengths=[]", "measure.repeats=2", "measure.likelihood_items=2",
            f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}", "progress=false",
        )
    )  # fmt: skip
    assert record.status == "ok", record.reason
    plain, taught = streams
    files = (tmp_path / "checkpoints").glob("*/texts-*/*.json")
    texts, validated = sorted((json.loads(file.read_text())["texts"] for file in files), key=len, reverse=True)
    assert len(validated) == 8
    assert len(texts) == len(taught.finite) == len(plain.finite) == 40
    examples = list(taught.text.task.examples("train"))
    rewritten = [
        replace(example, target=written or example.target) for example, written in zip(examples, texts, strict=True)
    ]
    assert list(taught.finite) == taught.text.encode(rewritten)


def test_teacher_that_cannot_fill_the_holes_is_a_reason(tmp_path: Path) -> None:
    record: Record = run_cell(
        cell(
            "paradigm=parallel_distilled", "task=stories_infilling",
            f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}",
        )
    )  # fmt: skip
    assert record.status == "skipped"
    assert record.reason == "teacher supports suffix targets only; this task has span targets"


def test_wrong_setting_of_a_teacher_is_named() -> None:
    with pytest.raises(SettingError, match=r"^train\.teacher\.decoder\.temperature=-1"):
        cell("paradigm=parallel_distilled", "train.teacher.decoder.temperature=-1.0")
    with pytest.raises(SettingError, match=r"^train\.teacher\.steps=3: no such setting"):
        cell("paradigm=parallel_distilled", "+train.teacher.steps=3")


def test_rewriting_leaves_the_rest_of_an_example_alone(tmp_path: Path) -> None:
    one = distilled(tmp_path)
    text = text_of(json.dumps(one.nodes["task"]), one.run.checkpoints)
    example = next(iter(text.task.examples("train")))
    stream = Stream(text, 4, 0, lambda chunk: [replace(e, target=e.target[::-1]) for e in chunk])
    want: Example = replace(example, target=example.target[::-1])
    assert stream.generated(0) == text.encode([want])[0]
