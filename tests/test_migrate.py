"""Records of schema 1: read as they are, found under both names, rewritten without a number changing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import SMALL, cell

from wordways.migrate import migrate
from wordways.names import SCHEMA_1, public, renamed, schema_1
from wordways.record import cell_id, digest, fields_of, pack, read_records, valid_record


def as_schema_1(results: Path, folder: Path) -> list[dict[str, Any]]:
    """The records of a folder, written as the version before schema 2 did."""
    (folder / "cells").mkdir(parents=True)
    old = []
    for record in read_records(results)[0]:
        config = renamed({name: value for name, value in record.config.items() if name != "title"}, schema_1)
        name = cell_id(config, 1)
        old.append({**fields_of(record), "schema": 1, "config": config, "cell": name})
        (folder / "cells" / f"{name}.json").write_text(json.dumps(old[-1]))
    command = [{"command": "wordways", "cells": {fields["cell"]: "somebody, seed 0" for fields in old}}]
    (folder / "config.yaml").write_text(yaml.safe_dump(command))
    return old


def measured(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in ("status", "scores", "timing", "likelihood", "trace", "budgets")}


@pytest.mark.parametrize("packed", [False, True])
def test_everything_but_names_stays(results: Path, tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "old"
    old = as_schema_1(results, folder)
    if packed:
        pack(folder)
    before = {record.cell: record for record in read_records(folder)[0]}
    assert "are of schema 2" in migrate(folder)
    after, refused = read_records(folder)
    assert not refused
    new = {record.cell: record for record in read_records(results)[0]}
    assert {record.cell for record in after} == new.keys() == before.keys()
    for record in after:
        assert measured(record) == measured(before[record.cell]) == measured(new[record.cell])
        assert record.aliases == [cell_id(record.config, 1)]
    assert {alias for record in after for alias in record.aliases} == {fields["cell"] for fields in old}
    assert {path.stem for path in (folder / "cells").glob("*.json")} == (set() if packed else new.keys())
    (entry,) = yaml.safe_load((folder / "config.yaml").read_text())
    assert entry["cells"].keys() == new.keys()
    migrate(folder)
    assert read_records(folder)[0] == after, "once more changes nothing"


def test_titles_are_those_of_conf(results: Path, tmp_path: Path) -> None:
    as_schema_1(results, tmp_path / "old")
    migrate(tmp_path / "old")
    for old, new in zip(read_records(tmp_path / "old")[0], read_records(results)[0], strict=True):
        assert old.config["title"]["task"] == new.config["title"]["task"] == "list operations, n = 4"
        assert old.config["title"]["paradigm"] == new.config["title"]["paradigm"]


def test_a_run_finds_its_record_of_schema_1(results: Path, tmp_path: Path) -> None:
    as_schema_1(results, tmp_path / "old")
    asked = cell("paradigm=parallel", *SMALL, f"results={tmp_path / 'old'}", f"checkpoints={tmp_path / 'checkpoints'}")
    found = valid_record(Path(asked.run.results), *asked.names)
    assert found is not None
    assert found.cell == asked.id
    assert found.aliases == [asked.names[1]]
    assert valid_record(tmp_path / "old", asked.id) is None, "it stands under its old name alone"


def test_a_newer_record_of_the_same_cell_counts(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    as_schema_1(results, folder)
    first = read_records(folder)[0][0]
    (folder / "cells" / f"{first.cell}.json").write_text(json.dumps(fields_of(replace(first, reason="run again"))))
    records = read_records(folder)[0]
    assert len(records) == len(read_records(results)[0])
    assert next(record for record in records if record.cell == first.cell).reason == "run again"


def test_checkpoints_are_found_under_both_names(tmp_path: Path) -> None:
    asked = cell("paradigm=diffusion_k2", f"checkpoints={tmp_path}")
    old = tmp_path / asked.training_key_by(schema_1)
    assert asked.checkpoint == tmp_path / asked.training_key != old
    old.mkdir()
    assert asked.checkpoint == old
    decoder = asked.nodes["paradigm"]["decoder"]
    (old / f"texts-{digest(renamed(decoder, schema_1))}").mkdir()
    assert asked.texts == old / f"texts-{digest(renamed(decoder, schema_1))}"
    (tmp_path / asked.training_key).mkdir()
    assert asked.checkpoint == tmp_path / asked.training_key, "one under the new name counts first"


def test_the_old_paths_are_those_of_the_committed_records() -> None:
    """Hashes that were printed before there was a schema 2, as results/reference/translation has them."""
    records, _ = read_records(Path(__file__).parent.parent / "results" / "reference" / "translation")
    records = [record for record in records if not record.is_baseline]
    assert {"99adfc5473cb0949", "9353bba0c9cdd7a3"} <= {alias for record in records for alias in record.aliases}
    for record in records:
        assert record.aliases == [cell_id(record.config, 1)]
        assert record.cell == cell_id(record.config)
    for name, path in SCHEMA_1.items():
        assert public(path) == name
