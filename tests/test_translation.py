"""Real text: folders, the hub's format, and what is wrong with a folder said in one line."""

import gzip
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import cell
from test_record import EMPTY

from tasks.translation import Translation
from wordways.report.oracles import strangers
from wordways.settings import SettingError

LINES = {
    "en": ["A dog runs.", "Two cats\u2028sleep.", "A\x0b man\x85\x0c."],
    "de": ["Ein Hund läuft.", "Zwei\rKatzen schlafen.", "Ein Mann."],
}
NAMES = {"train": 3, "val": 2, "test_2016_flickr": 2, "test_2017_flickr": 1}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def folder(path: Path, packed: bool) -> Path:
    for name, count in NAMES.items():
        for language, lines in LINES.items():
            text = "".join(line + "\n" for line in lines[:count])
            if packed:
                with gzip.open(path / f"{name}.{language}.gz", "wb") as file:
                    file.write(text.encode())
            else:
                (path / f"{name}.{language}").write_bytes(text.encode())
    return path


def translation(data: Path | None, **other: str) -> Translation:
    settings = {
        "name": "bentrevett/multi30k",
        "revision": "x",
        "source": "en",
        "target": "de",
        "test": "test_2016_flickr",
    }
    return Translation(None if data is None else str(data), pieces=300, **(settings | other), longest=1000)


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_gives_its_pairs(tmp_path: Path, packed: bool) -> None:
    task = translation(folder(tmp_path, packed))
    train = list(task.examples("train"))
    assert [(e.prompt, e.target) for e in train] == list(zip(LINES["en"], LINES["de"], strict=True))
    assert train[0].references == ("Ein Hund läuft.",)
    assert [e.id for e in task.examples("test")] == ["test-0", "test-1"]
    assert [e.id for e in task.examples("train", first=2)] == ["train-2"]


def test_a_data_set_in_the_hubs_format_gives_the_same(tmp_path: Path) -> None:
    plain, hub = tmp_path / "plain", tmp_path / "hub"
    plain.mkdir()
    hub.mkdir()
    for name, stem in (("train", "train"), ("val", "val"), ("test_2016_flickr", "test")):
        pairs = [
            {"en": en, "de": de} for en, de in itertools.islice(zip(LINES["en"], LINES["de"], strict=True), NAMES[name])
        ]
        (hub / f"{stem}.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    local, remote = translation(folder(plain, packed=False)), translation(None, name=str(hub))
    for split in ("train", "valid", "test"):
        assert list(local.examples(split)) == list(remote.examples(split))
    assert local.data_hash() == remote.data_hash()


def test_the_hash_is_of_the_data_not_of_the_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = translation(folder(tmp_path / "a", True)), translation(folder(tmp_path / "b", False))
    assert one.data_hash() == other.data_hash()
    third = translation(folder(tmp_path / "a", True), test="test_2017_flickr")
    assert third.data_hash() != one.data_hash()
    assert third.training_hash() == one.training_hash(), "another test set needs no other training"


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"^task.data=.*: contains no train.en or train.en.gz, nor a folder multi30k with it$"
    ):
        cell("task=translation", f"task.data={tmp_path}")
    (folder(tmp_path, packed=False) / "val.de").unlink()
    with pytest.raises(
        SettingError, match=r"^task.data=.*: contains no val.de or val.de.gz, nor a folder multi30k with it$"
    ):
        cell("task=translation", f"task.data={tmp_path}")
    with pytest.raises(
        SettingError, match=r"^task.data=/nowhere: contains no train.en or train.en.gz, nor a folder multi30k with it$"
    ):
        cell("task=translation", "task.data=/nowhere")


def test_lines_that_do_not_pair_up_are_counted(tmp_path: Path) -> None:
    (folder(tmp_path, packed=False) / "train.de").write_text("Ein Hund.\n")
    with pytest.raises(SettingError, match=r"^task.data=.*: train has 3 en and 1 de lines; they must be equally many$"):
        cell("task=translation", f"task.data={tmp_path}")


def test_broken_files_are_one_line(tmp_path: Path) -> None:
    broken = {"val.en.gz": b"\x1f\x8b\x08broken", "val.en": b"caf\xe9\nx\n"}
    for name, content in broken.items():
        (tmp_path / name.replace(".", "_")).mkdir()
        data = folder(tmp_path / name.replace(".", "_"), packed=name.endswith("gz"))
        (data / name).write_bytes(content)
        with pytest.raises(SettingError, match=rf"^task.data=.*{name}: cannot be read \("):
            cell("task=translation", f"task.data={data}")


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(SettingError) as refused:
        cell("task=translation", "task.pieces=301")
    said = "task.name=bentrevett/multi30k: cannot be loaded (no network); give a folder through task.data"
    assert str(refused.value) == said


def test_the_hub_has_one_test_set() -> None:
    with pytest.raises(
        SettingError, match=r"^task.test=test_2017_flickr: bentrevett/multi30k has only test_2016_flickr"
    ):
        cell("task=translation", "task.test=test_2017_flickr")


def test_a_language_may_be_called_nan_and_another_test_set_needs_no_folder_in_a_report(tmp_path: Path) -> None:
    for path in folder(tmp_path, packed=False).glob("*.de"):
        path.with_suffix(".nan").write_bytes(path.read_bytes())
    found = cell("task=translation", f"task.data={tmp_path}", "task.pieces=300", "task.target=nan")
    assert found.config["task"]["target"] == found.task.language == "nan"
    assert "tok:zh" in found.task.metrics[0].signature([["a"]])
    with pytest.raises(SettingError, match=r"^train.lr=nan: input should be a valid number$"):
        cell("task=translation", f"task.data={tmp_path}", "task.pieces=300", "train.lr=nan")
    config = cell("task=translation", f"task.data={tmp_path}", "task.pieces=300", "task.test=test_2017_flickr").config
    record = replace(EMPTY, status="ok", config=config)
    assert strangers([record]) == []


def test_records_do_not_carry_the_data(tmp_path: Path) -> None:
    assert not translation(folder(tmp_path, True)).shareable


def test_the_local_copy_is_the_published_set(shared: Path) -> None:
    task = translation(shared / "data" / "multi30k")
    counts = {split: len(list(task.examples(split))) for split in ("train", "valid", "test")}
    assert counts == {"train": 29_000, "valid": 1_014, "test": 1_000}
    fits = [e for e in task.examples("train") if len(e.target.split()) + 1 <= task.room(len(e.prompt.split()))]
    assert len(fits) / 29_000 > 0.99
