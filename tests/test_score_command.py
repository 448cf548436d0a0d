"""Metrics that are added to finished runs from their kept texts: the numbers that the run itself would have had."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SMALL, cell
from test_docs import blocks
from test_extra import AGREES, LISTS, LOUD, installed, own_cache, script  # noqa: F401 (a fixture that every test uses)
from test_real_text import multi30k

from tasks.list_operations import ListOperations
from wordways import __version__
from wordways.record import Record, fields_of, pack, read_records
from wordways.run.execute import score_cell
from wordways.run.keep import columns_of
from wordways.run.recorded import cell_of_record, task_of_record
from wordways.score import kept_lines, main
from wordways.settings import SettingError
from wordways.texts import save_texts


def small(folder: Path, preset: str, *overrides: str) -> Record:
    places = (f"results={folder / 'results'}", f"checkpoints={folder / 'checkpoints'}")
    return score_cell(cell(f"paradigm={preset}", *SMALL, *places, *overrides))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, of which one has its texts kept."""
    folder = tmp_path_factory.mktemp("score")
    small(folder, "parallel", "measure.keep=all")
    small(folder, "autoregressive")
    return folder


@pytest.fixture
def made(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template / "results", tmp_path / "results")
    return tmp_path / "results"


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["wordways-score", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def by_preset(results: Path) -> dict[str, Record]:
    return {record.config["preset"]: record for record in read_records(results)[0]}


def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    installed(monkeypatch, "bert_score")
    return [script(folder, "loud", LOUD), script(folder, "bertscore", AGREES, LISTS, settings=", lang=None")]


@pytest.mark.parametrize("shareable", [True, False])
def test_added_scores_are_those_of_a_run_that_asks_for_them(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shareable: bool
) -> None:
    """Also where the references are not among the kept columns and come from the data."""
    monkeypatch.setattr(ListOperations, "shareable", shareable)
    metrics, places = hub(tmp_path, monkeypatch), [f"checkpoints={template / 'checkpoints'}"]
    kept = [*SMALL, *places, "paradigm=parallel", "measure.keep=all", f"results={tmp_path / 'results'}"]
    score_cell(cell(*kept))
    (before,) = read_records(tmp_path / "results")[0]
    whole = score_cell(cell(*kept, f"results={tmp_path / 'whole'}", f"measure.extra=[{','.join(metrics)}]"))
    assert asked(monkeypatch, tmp_path / "results", f"metric={','.join(metrics)}") == 0
    (after,) = read_records(tmp_path / "results")[0]
    assert after.scores == whole.scores
    (note,) = after.provenance["scored"]
    assert note["version"] == __version__
    assert note.keys() == {"metrics", "time", "version", "commit", "dirty"}
    assert set(note["metrics"]) == after.scores.keys() - before.scores.keys() >= {"loud", "bertscore"}
    assert {**fields_of(after), "scores": before.scores, "provenance": before.provenance} == fields_of(before)
    assert f"{after.cell} (parallel, seed 0): has new scores: loud" in capsys.readouterr().out


def test_what_has_no_texts_is_said_and_left(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A packed folder, too; asking again changes nothing."""
    metrics = hub(tmp_path, monkeypatch)
    pack(made)
    before = by_preset(made)
    assert asked(monkeypatch, made, f"metric={metrics[0]}") == 1
    after, (lines, errors) = by_preset(made), map(str.splitlines, capsys.readouterr())
    assert fields_of(after["autoregressive"]) == fields_of(before["autoregressive"])
    said = f"{after['autoregressive'].cell} (autoregressive, seed 0): has no kept texts; "
    assert [line for line in errors if line.startswith(said)] == errors
    assert len(lines) == 2
    assert lines[0].startswith(f"{after['parallel'].cell} (parallel, seed 0): has new scores: loud")
    assert asked(monkeypatch, made, f"metric={metrics[0]}") == 1
    assert fields_of(by_preset(made)["parallel"]) == fields_of(after["parallel"])
    assert "has these scores already" in capsys.readouterr().out
    assert asked(monkeypatch, made, f"metric={','.join(metrics)}") == 1
    scored = by_preset(made)["parallel"]
    assert "bertscore" in scored.scores
    assert len(scored.provenance["scored"]) == 2
    assert not list((made / "cells").glob(".*"))


def test_a_metric_that_fails_is_a_line_and_changes_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = script(tmp_path, "fails", "        raise KeyError('no such\\nmodel')")
    own = script(tmp_path, "accuracy", LOUD)
    for metric, line in (
        (fails, "(parallel, seed 0): KeyError: "),
        (own, f"(parallel, seed 0): metric={own}: a metric accuracy exists already"),
    ):
        before = fields_of(by_preset(made)["parallel"])
        assert asked(monkeypatch, made, f"metric={metric}") == 1
        assert fields_of(by_preset(made)["parallel"]) == before
        assert [said for said in capsys.readouterr().err.splitlines() if line in said]


def test_texts_can_be_read_by_other_programs(
    made: Path, template: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of JSON, and what the recipe of docs/recipes.md makes of them for COMET."""
    assert asked(monkeypatch, made, "--texts-only") == 1
    printed = capsys.readouterr()
    assert "(autoregressive, seed 0): has no kept texts" in printed.err
    record, lines = by_preset(made)["parallel"], [json.loads(line) for line in printed.out.splitlines()]
    assert [line["id"] for line in lines] == record.item_ids
    assert [line["text"] for line in lines[:16]] == [sample["text"] for sample in record.samples]
    assert [line["score_accuracy"] for line in lines] == record.scores["accuracy"]["items"]
    assert {(line["cell"], line["preset"], line["seed"]) for line in lines} == {(record.cell, "parallel", 0)}
    (recipe,) = [block for block in blocks(ROOT / "docs" / "recipes.md", "python") if "kept_lines" in block]
    names: dict[str, Any] = {}
    exec(recipe.replace("results/text", str(made)), names)
    assert names["triples"][0] == {
        "src": lines[0]["prompt"], "mt": lines[0]["text"], "ref": lines[0]["references"][0]
    }  # fmt: skip
    assert len(names["triples"]) == len(lines)


def test_prompts_and_references_come_from_the_data_where_their_licence_keeps_them_out(tmp_path: Path) -> None:
    multi30k(tmp_path)
    run = cell("task=translation", "paradigm=autoregressive", f"task.data={tmp_path}", "task.pieces=300")
    examples = list(run.task.examples("test"))
    ids = [example.id for example in examples]
    record = Record(
        run.id, "ok", "", run.config, {}, {}, {}, ids, dict.fromkeys(ids, ""), None, [], None, []
    )  # fmt: skip
    save_texts(tmp_path, record, columns_of(run.task, examples, ["x"] * len(ids)))
    assert "prompt" not in kept_lines(tmp_path, record)[0]
    lines = kept_lines(tmp_path, record, str(tmp_path))
    assert [(one["prompt"], one["references"], one["text"]) for one in lines] == [
        (example.prompt, [example.target], "x") for example in examples
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["metric=/nowhere"], "metric=/nowhere: cannot be loaded ("),
        (["metric="], "metric=: names no metric, such as metric=mauve,bertscore"),
        (["task.data=x"], "metric=: names no metric"),
        (["mauve"], "mauve: no such setting; there are metric and task.data, as NAME=VALUE"),
        (["metrics=mauve"], "metrics=mauve: no such setting"),
        (["metric=a", "metric=b"], "metric=b: metric is given twice"),
        (["metric=a", "--texts-only"], "metric=a: is not computed with --texts-only"),
        ([], "metric=: names no metric"),
    ],
)
def test_wrong_arguments_are_one_line(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert asked(monkeypatch, made, *arguments) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"wordways-score: {line}")


def test_a_folder_without_records_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, tmp_path, f"metric={script(tmp_path, 'loud', LOUD)}") == 2
    assert capsys.readouterr().err == f"wordways-score: {tmp_path}: holds no records\n"


def test_the_data_of_a_record_are_recognised(template: Path, tmp_path: Path) -> None:
    """By their content, wherever they lie."""
    places = [tmp_path / name for name in ("here", "there", "other")]
    for place in places:
        place.mkdir()
        multi30k(place)
    (places[2] / "train.en").write_text("Another dog runs.\nTwo cats sleep.\n")
    of_text = cell("task=translation", "paradigm=autoregressive", f"task.data={places[0]}", "task.pieces=300")
    record = replace(read_records(template / "results")[0][0], config=of_text.config)
    for place in places[:2]:
        assert task_of_record(record, str(place)).data_hash() == of_text.task.data_hash()
        again = cell_of_record(record, Path(of_text.run.checkpoints), str(place))
        assert again.training_key == of_text.training_key
        assert again.config == {**of_text.config, "device": "cpu"}
    with pytest.raises(SettingError, match=r"other: holds other data than those of task=translation in the record"):
        task_of_record(record, str(places[2]))


@pytest.mark.parametrize(
    "settings",
    [
        ("paradigm=diffusion_s10", "seed=3"),
        ("paradigm=parallel_distilled", "task=list_operations", "train.precision=bfloat16"),
        ("task=own_errors", "paradigm=diffusion_mask_predict"),
    ],
)
def test_a_record_leads_back_to_its_training(template: Path, settings: tuple[str, ...]) -> None:
    of_command: Any = cell(*settings)
    record = replace(read_records(template / "results")[0][0], config=of_command.config)
    again = cell_of_record(record, Path(of_command.run.checkpoints), None)
    assert again.checkpoint == of_command.checkpoint
    assert again.config == {**of_command.config, "device": "cpu"}
    assert again.text.vocabulary == of_command.text.vocabulary
