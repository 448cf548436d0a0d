"""Records: whole or not there, readable or refused by name, named by what they measure."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from conftest import cell
from hypothesis import given
from hypothesis import strategies as st

from wordways.__main__ import check_archive
from wordways.archive import ARCHIVE, DamagedError
from wordways.parsing import parse_shared
from wordways.record import (
    FIELDS,
    IDENTITY,
    OPTIONAL,
    Record,
    canonical,
    cell_id,
    holds_records,
    pack,
    read_record,
    read_records,
    valid_record,
    write_atomically,
    write_record,
)
from wordways.settings import SettingError

CONFIG = {
    **{name: {"_target_": f"{name}s.some.Class"} for name in ("paradigm", "task")},
    **{name: {} for name in ("backbone", "train", "measure")},
    "preset": "some", "seed": 0, "device": "cpu", "dtype": "float32",
}  # fmt: skip
PROVENANCE = {
    "started": "2025-01-01T00:00:00Z", "device": "some", "threads": 1, "platform": "some", "python": "3.12",
    "versions": {"wordways": "0.1.0", "torch": "2.9.0"}, "commit": None, "dirty": None,
}  # fmt: skip
EMPTY = Record(
    cell="0123456789abcdef", status="skipped", reason="because", config=CONFIG, provenance=PROVENANCE, budgets={},
    scores={}, item_ids=[], strata={}, likelihood=None, timing=[], trace=None, samples=[],
)  # fmt: skip
SHARE = {"unit": "share", "higher_is_better": True}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    items = {"item_ids": ["a", "b", "c"], "strata": {"a": "1", "b": "1", "c": "2"}}
    scores = {"accuracy": {**SHARE, "items": [0, 1, 0.1]}}
    record = replace(EMPTY, samples=[{"id": "a", "text": "Straße 🚲 \u202eabc"}], scores=scores, **items)
    path = write_record(tmp_path, record)
    assert path == tmp_path / "cells" / "0123456789abcdef.json"
    assert read_record(path) == record
    assert path.read_bytes().decode("utf-8").endswith("}\n")
    assert os.listdir(path.parent) == [path.name], "no temporary file stays"


def test_no_nan_is_ever_written(tmp_path: Path) -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_record(tmp_path, replace(EMPTY, budgets={"flops": value}))
    assert not (tmp_path / "cells").exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_record(tmp_path, EMPTY)

    def interrupted(source: str, target: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_record(tmp_path, replace(EMPTY, reason="other"))
    assert read_record(path) == EMPTY
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "not readable as JSON"),
        (lambda text: "", "not readable as JSON"),
        (lambda text: text.replace('"schema":2', '"schema":0'), "schema 0; this version reads schemas 1 and 2"),
        (lambda text: text.replace('"budgets":{}', '"budgets":{"flops":NaN}'), "not readable as JSON"),
        (lambda text: text.replace('"timing":[],', ""), "lacks timing"),
        (lambda text: "[1]", "schema 'list'"),
    ],
)
def test_what_is_no_record_is_refused_by_name(tmp_path: Path, damage, message: str) -> None:
    path = write_record(tmp_path, EMPTY)
    path.write_text(damage(path.read_text()))
    write_record(tmp_path, replace(EMPTY, cell="f" * 16))
    records, refused = read_records(tmp_path)
    assert [record.cell for record in records] == ["f" * 16], "the others are read all the same"
    assert len(refused) == 1
    assert path.name in refused[0]
    assert message in refused[0]
    assert "\n" not in refused[0]


@given(
    st.dictionaries(
        st.sampled_from(["item_ids", "likelihood", "strata", "timing", "a"]),
        st.text() | st.lists(st.text()) | st.dictionaries(st.sampled_from(["strata", "timing", "b"]), st.text()),
    )
)
def test_shared_parts_are_read_as_they_are(fields: dict[str, object]) -> None:
    assert parse_shared(canonical(fields)) == fields


def test_records_with_the_same_items_share_them(tmp_path: Path) -> None:
    for cell_name in ("a" * 16, "b" * 16):
        write_record(tmp_path, replace(EMPTY, cell=cell_name, item_ids=["x", "y"], strata={"x": "1", "y": "2"}))
    first, second = read_records(tmp_path)[0]
    assert first.item_ids is second.item_ids
    assert first.places == {"1": [0], "2": [1]}
    assert replace(first, strata={"x": "1", "y": "1"}).places == {"1": [0, 1]}


def test_fields_are_those_of_the_schema() -> None:
    assert {field.name for field in fields(Record)} == FIELDS | OPTIONAL | {"copy"}


def test_the_cell_is_a_hash_of_its_identity_and_nothing_else() -> None:
    config = {name: name for name in IDENTITY}
    first = cell_id(config)
    spelled = (
        "{"
        + ",".join(f'"{name}":"{name}"' if name != "schema" else '"schema":2' for name in sorted((*IDENTITY, "schema")))
        + "}"
    )
    assert first == hashlib.sha256(spelled.encode()).hexdigest()[:16]
    assert cell_id(config | {"preset": "x", "experiment": "y"}) == first
    for name in IDENTITY:
        assert cell_id(config | {name: "other"}) != first
    assert cell_id(dict(reversed(config.items()))) == first


@pytest.mark.parametrize(
    "override", ["results=elsewhere", "checkpoints=elsewhere", "progress=false", "threads=1", "overwrite=always"]
)
def test_where_and_how_it_runs_stays_out_of_the_cell(override: str) -> None:
    assert cell(override).id == cell().id


@pytest.mark.parametrize(
    "override",
    [
        "paradigm.decoder.top_k=3",
        "task.n=5",
        "backbone=micro",
        "train.steps=7",
        "seed=3",
        "measure.repeats=3",
        "dtype=float64",
    ],
)
def test_what_is_measured_is_in_it(override: str) -> None:
    assert cell(override).id != cell().id


def test_canonical_json_does_not_depend_on_order_or_spaces() -> None:
    assert canonical({"b": 1, "a": [1, 2.5]}) == '{"a":[1,2.5],"b":1}'
    assert json.loads(canonical({"ä": "ö"})) == {"ä": "ö"}


def test_new_files_are_as_readable_as_any(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_packed_records_are_read_like_loose_ones_and_take_little_room(tmp_path: Path) -> None:
    items = [f"item-{i}" for i in range(2000)]
    records = [
        replace(EMPTY, cell=f"{number:016x}", item_ids=items, strata=dict.fromkeys(items, "all"), reason=f"{number}")
        for number in range(20)
    ]
    for record in records:
        write_record(tmp_path, record)
    loose = sum(path.stat().st_size for path in (tmp_path / "cells").iterdir())
    first = pack(tmp_path).read_bytes()
    assert not list((tmp_path / "cells").iterdir())
    assert len(first) < loose / 50
    assert read_records(tmp_path) == (records, [])
    assert valid_record(tmp_path, records[3].cell) == records[3]
    write_record(tmp_path, replace(records[3], reason="newer"))
    assert valid_record(tmp_path, records[3].cell) == replace(records[3], reason="newer"), "a loose record counts first"
    write_record(tmp_path, records[3])
    assert pack(tmp_path).read_bytes() == first, "the same records, the same bytes"


def flipped(content: bytes) -> bytes:
    """With one bit in the middle changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def a_link_to_nothing(archive: Path) -> None:
    archive.unlink()
    archive.symlink_to("nothing")


def a_folder(archive: Path) -> None:
    archive.unlink()
    archive.mkdir()


def a_pipe(archive: Path) -> None:
    archive.unlink()
    os.mkfifo(archive)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda archive: archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2]),
    "flipped": lambda archive: archive.write_bytes(flipped(archive.read_bytes())),
    "garbage": lambda archive: archive.write_bytes(b"garbage" * 1000),
    "empty": lambda archive: archive.write_bytes(b""),
    "link": a_link_to_nothing,
    "folder": a_folder,
    "pipe": a_pipe,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_archive_costs_its_own_line(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    write_record(tmp_path, EMPTY)
    damage(pack(tmp_path))
    loose = replace(EMPTY, cell="f" * 16, config={**CONFIG, "seed": 1})
    write_record(tmp_path, loose)
    records, (line,) = read_records(tmp_path)
    assert records == [loose]
    assert f"{tmp_path / ARCHIVE}: not a complete archive (" in line
    assert "\n" not in line
    assert holds_records(tmp_path)
    with pytest.raises(DamagedError, match="not a complete archive"):
        pack(tmp_path)
    assert read_records(tmp_path)[0] == [loose], "nothing was moved"
    with pytest.raises(SettingError, match=r"results=.*not a complete archive"):
        check_archive(tmp_path)


def test_what_is_no_regular_file_is_named_and_never_waited_for(tmp_path: Path) -> None:
    cells = write_record(tmp_path, EMPTY).parent
    os.mkfifo(cells / "pipe.json")
    (cells / "folder.json").mkdir()
    (cells / "link.json").symlink_to("nothing")
    (cells / "device.json").symlink_to("/dev/zero")
    records, refused = read_records(tmp_path)
    assert records == [EMPTY]
    assert [line.partition(": ")[0] for line in refused] == ["device.json", "folder.json", "link.json", "pipe.json"]
    assert all("not readable (" in line for line in refused)


def test_cells_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "cells").touch()
    assert read_records(tmp_path) == ([], [f"{tmp_path / 'cells'}: not readable (Not a directory)"])


def test_a_copy_under_another_name_is_no_second_training(tmp_path: Path) -> None:
    first = replace(EMPTY, cell=cell_id(CONFIG))
    path = write_record(tmp_path, first)
    for name in (f"copy of {path.name}", "a.json", f"{'1' * 16}.json"):
        path.with_name(name).write_bytes(path.read_bytes())
    write_record(tmp_path, replace(first, cell="2" * 16))
    records, refused = read_records(tmp_path)
    assert records == [first]
    assert len(refused) == 4
    assert all(line.endswith(f"{own}") for line, own in zip(refused, [first.cell] * 3 + [path.name], strict=True))


@pytest.mark.parametrize(("provenance", "shown"), [({}, "unknown"), ({"processor": {"family": "25"}}, "1")])
def test_old_signatures_claim_no_number_of_references(tmp_path: Path, provenance: dict, shown: str) -> None:
    """Records older than the signature of the scored set say one reference a text, of E2E with up to 45 as well."""
    items = {"item_ids": ["a"], "strata": {"a": "1"}}
    scores = {"bleu": {**SHARE, "items": [1], "signature": "nrefs:1|case:mixed"}, "accuracy": {**SHARE, "items": [1]}}
    path = write_record(tmp_path, replace(EMPTY, provenance=PROVENANCE | provenance, scores=scores, **items))
    found = read_record(path).scores
    assert found["bleu"]["signature"] == f"nrefs:{shown}|case:mixed"
    assert found["accuracy"] == scores["accuracy"]
