"""Every generated text beside its record: what is kept, when, and that neither record nor name depends on it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas
import pytest
from conftest import SMALL, cell

from wordways.record import Record, read_record, read_records, valid_record, write_record
from wordways.run import keep
from wordways.run.baselines import add_baselines
from wordways.run.cell import Cell
from wordways.run.execute import score_cell
from wordways.texts import load_texts, save_texts, scores_by_item, texts_file

KEEP = "measure.keep=all"


def small(trained: Path, *overrides: str) -> Cell:
    return cell("paradigm=parallel", *SMALL, f"checkpoints={trained}", *overrides)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, beside a results folder with the record of the cell that was trained."""
    folder = tmp_path_factory.mktemp("texts")
    score_cell(small(folder / "checkpoints", f"results={folder / 'results'}"))
    return folder / "checkpoints"


def kept_columns(folder: Path, record: Record) -> pandas.DataFrame:
    return pandas.read_parquet(texts_file(folder, record.cell))


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_text_stands_beside_its_scores(trained: Path, tmp_path: Path) -> None:
    asked = small(trained, f"results={tmp_path}", KEEP)
    record = score_cell(asked)
    frame = kept_columns(tmp_path, record)
    assert list(frame) == ["id", "stratum", "prompt", "suffix", "references", "text", "score_accuracy"]
    assert list(frame["id"]) == record.item_ids
    assert list(frame["stratum"]) == [record.strata[item] for item in record.item_ids]
    assert list(frame["text"])[:16] == [sample["text"] for sample in record.samples]
    assert list(frame["prompt"])[:16] == [sample["prompt"] for sample in record.samples]
    right = [text in known for text, known in zip(frame["text"], frame["references"], strict=True)]
    assert list(frame["score_accuracy"]) == record.scores["accuracy"]["items"] == right
    assert sorted(content(tmp_path)) == [f"cells/{record.cell}.json", f"texts/{record.cell}.parquet"]


def test_a_cell_is_the_same_with_and_without_kept_texts(trained: Path) -> None:
    with_texts, without = small(trained, KEEP), small(trained, "measure.keep=samples")
    assert with_texts.config == without.config
    assert "keep" not in without.config["measure"]
    assert with_texts.names == without.names
    assert valid_record(trained.parent / "results", without.id) is not None, "an old record is found"


def test_a_finished_cell_is_decoded_again_and_stays_as_it_is(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its timings, too; nothing is trained, and a third command does nothing."""
    plain = small(trained, f"results={tmp_path}")
    counts = {"batch": 1, "first": 0, "useful_tokens": 0, "useful_chars": 0, "peak_bytes": None}
    record = replace(score_cell(plain), timing=[{"workload": "forced", **counts, "repeats_ns": [[1]]}])
    record = read_record(write_record(tmp_path, record))
    before = content(tmp_path)
    monkeypatch.setattr("wordways.run.session.trained", None)
    asked = small(trained, f"results={tmp_path}", KEEP)
    assert score_cell(asked) == record
    after = content(tmp_path)
    assert after.keys() - before.keys() == {f"texts/{record.cell}.parquet"}
    assert after.items() >= before.items()
    fresh = tmp_path / "fresh"
    score_cell(small(trained, f"results={fresh}", KEEP))
    assert texts_file(fresh, record.cell).read_bytes() == after[f"texts/{record.cell}.parquet"]
    monkeypatch.setattr(keep, "kept_again", None)
    assert score_cell(asked) == record
    assert capsys.readouterr().err == ""


def test_texts_that_were_not_scored_are_not_kept(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A score that this version does not reproduce, and a checkpoint that is not there, are said in a line each."""
    record = score_cell(small(trained, f"results={tmp_path}"))
    items = list(record.scores["accuracy"]["items"])
    items[-1] = 1 - items[-1]
    changed = {**record.scores, "accuracy": {**record.scores["accuracy"], "items": items}}
    write_record(tmp_path, replace(record, scores=changed))
    score_cell(small(trained, f"results={tmp_path}", KEEP))
    asked = cell("paradigm=parallel", *SMALL, f"checkpoints={tmp_path / 'none'}", f"results={tmp_path}", KEEP)
    score_cell(asked)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("wordways: measure.keep=all: parallel, seed 0: its texts are not kept, and this version")
    assert "its training is not in" in second
    assert not texts_file(tmp_path, record.cell).exists()


def test_a_repeated_cell_leaves_no_texts_of_the_one_before(trained: Path, tmp_path: Path) -> None:
    record = score_cell(small(trained, f"results={tmp_path}", KEEP))
    assert texts_file(tmp_path, record.cell).is_file()
    score_cell(small(trained, f"results={tmp_path}", "overwrite=always"))
    assert not texts_file(tmp_path, record.cell).exists()


def test_texts_without_a_licence_to_copy_come_without_prompts(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = small(trained, f"results={tmp_path}", KEEP)
    monkeypatch.setattr(type(asked.task), "shareable", False)
    assert list(kept_columns(tmp_path, score_cell(asked))) == ["id", "stratum", "text", "score_accuracy"]


def test_drafts_are_kept_and_generated_again(tmp_path: Path) -> None:
    few = ("train.steps=2", "train.batch=4", "measure.items=6", "measure.likelihood_items=1", "progress=false")
    folders = (f"results={tmp_path}", f"checkpoints={tmp_path / 'checkpoints'}")
    asked = cell("task=own_errors", "paradigm=diffusion_mask_predict", *few, *folders, KEEP)
    record = score_cell(asked)
    assert record.status == "ok", record.reason
    path, frame = texts_file(tmp_path, record.cell), kept_columns(tmp_path, record)
    assert {"draft", *(f"score_{name}" for name in scores_by_item(record))} <= set(frame)
    assert "score_detection" in frame
    assert list(frame["draft"])[:6] == [sample["draft"] for sample in record.samples]
    before = path.read_bytes()
    path.unlink()
    score_cell(asked)
    assert path.read_bytes() == before


def test_baselines_keep_theirs(trained: Path, tmp_path: Path) -> None:
    """Also where their records were there before."""
    plain, asked = (small(trained, f"results={tmp_path}", *how) for how in ((), (KEEP,)))
    score_cell(plain)
    add_baselines([plain])
    assert not (tmp_path / "texts").exists()
    score_cell(asked)
    add_baselines([asked])
    records, _ = read_records(tmp_path)
    assert {path.stem for path in (tmp_path / "texts").iterdir()} == {record.cell for record in records}
    assert sum(record.is_baseline for record in records) > 2
    for record in records:
        assert len(load_texts(tmp_path, record)["text"]) == len(record.item_ids)


@pytest.fixture
def made(trained: Path, tmp_path: Path) -> tuple[Path, Record]:
    record = read_records(trained.parent / "results")[0][0]
    texts = {
        "id": record.item_ids,
        "text": [*(s["text"] for s in record.samples), *["x"] * (len(record.item_ids) - 16)],
    }
    save_texts(tmp_path, record, texts)
    return tmp_path, record


@pytest.mark.parametrize(
    "change",
    [
        lambda record: replace(record, item_ids=record.item_ids[::-1]),
        lambda record: replace(record, samples=[{**record.samples[0], "text": "another"}]),
        lambda record: replace(record, scores={"accuracy": {"items": [1] * len(record.item_ids)}}),
    ],
)
def test_texts_of_another_decoding_are_told_apart(made: tuple[Path, Record], change: Any) -> None:
    folder, record = made
    assert load_texts(folder, record)["id"] == record.item_ids
    with pytest.raises(ValueError, match=r"holds other texts than those of the record"):
        load_texts(folder, change(record))


@pytest.mark.parametrize("harm", [lambda _: b"", lambda whole: whole[: len(whole) // 2], lambda whole: whole[::-1]])
def test_a_damaged_file_is_a_line(made: tuple[Path, Record], harm: Any) -> None:
    folder, record = made
    path = texts_file(folder, record.cell)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(ValueError, match=r"^[^\n]+ is damaged \([^\n]+\); remove it$"):
        load_texts(folder, record)
    path.unlink()
    with pytest.raises(ValueError, match=r"^has no kept texts"):
        load_texts(folder, record)
