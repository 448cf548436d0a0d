"""Frames and exports: one line a number, the same as in the records; a model card's metadata that the hub can read."""

import shutil
from pathlib import Path
from statistics import mean

import pandas as pd
import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

import wordways
from wordways.record import read_records
from wordways.report.build import write_report
from wordways.report.card import model_index
from wordways.report.derive import end_to_end, quality
from wordways.report.rows import rows_of
from wordways.report.signature import parse


def test_frames_hold_what_the_records_hold(results: Path) -> None:
    frames, (records, refused) = wordways.load(results), read_records(results)
    assert list(frames.cells["cell"]) == [record.cell for record in records]
    assert set(frames.cells["status"]) == {"ok", "skipped"}
    assert frames.refused == refused == []
    for record in records:
        if record.status != "ok":
            continue
        items = frames.items.query("cell == @record.cell and metric == 'accuracy'")
        overall = quality(record, "accuracy")
        assert overall is not None
        assert mean(items["value"].to_list()) == pytest.approx(overall.value)
        assert list(items.to_dict("list")["item"]) == record.item_ids
        timing = frames.timing.query("cell == @record.cell").to_dict("records")
        assert [line["seconds"] for line in timing] == [x for entry in record.timing for x in end_to_end(entry)]
    assert set(frames.cells["config.paradigm._target_"].dropna()) == {
        record.config["paradigm"]["_target_"] for record in records
    }


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no cells folder"):
        wordways.load(tmp_path)


def test_both_exports_hold_the_same_numbers(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "copy", ignore=shutil.ignore_patterns("report"))
    write_report(tmp_path / "copy")
    folder = tmp_path / "copy" / "report"
    whole, text = pd.read_parquet(folder / "records.parquet"), pd.read_csv(folder / "data.csv")
    text[["stratum", "unit"]] = text[["stratum", "unit"]].fillna("")
    one, other = (frame.astype(object).where(frame.notna(), None) for frame in (whole, text))  # one sign for no value
    pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert not text.duplicated(["task", "row", "stratum", "measure"]).any(), "one line a number"
    assert (text.dropna(subset="low").eval("low <= value <= high")).all()


def test_the_hub_reads_the_card(results: Path) -> None:
    rows = rows_of(read_records(results)[0])
    index = yaml.safe_load(model_index(rows))["model-index"]
    assert [entry["name"] for entry in index] == [row.label for row in rows]
    for row, entry in zip(rows, index, strict=True):
        name, found = model_index_to_eval_results([entry])
        assert name == row.label
        accuracy = next(one for one in found if one.metric_name == "accuracy (shuffle)")
        value = row.over_seeds(lambda record: quality(record, "accuracy", "shuffle"))
        assert value is not None
        assert accuracy.metric_value == value.value
        assert accuracy.dataset_type == accuracy.task_name == "list_operations_n_4"
        assert parse(entry["results"][0]["dataset"]["args"]["signature"])["task"] == ["list_operations_n_4"]
