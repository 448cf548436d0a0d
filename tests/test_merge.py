"""Folders of several machines as one: equal runs once, different numbers side by side, times apart by machine."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from wordways.record import Record, pack, read_records, write_record
from wordways.report import __main__ as command
from wordways.report import derive
from wordways.report.build import write_report
from wordways.report.choose import ChoiceError
from wordways.report.merge import merge
from wordways.report.rows import apart_by_machine, rows_of

Change = Callable[[Record], Record]


def done(results: Path) -> list[Record]:
    return [record for record in read_records(results)[0] if record.status == "ok"]


def on(record: Record, device: str, slower: int = 1) -> Record:
    """The record as another machine would have made it: with its name, and times that are so many times as long."""
    timing = [
        {**entry, "repeats_ns": [[slower * ns for ns in repeat] for repeat in entry["repeats_ns"]]}
        for entry in record.timing
    ]
    return replace(record, provenance={**record.provenance, "device": device, "processor": {}}, timing=timing)


def worse(record: Record) -> Record:
    accuracy = record.scores["accuracy"]
    items = [1 - accuracy["items"][0], *accuracy["items"][1:]]
    return replace(record, scores={**record.scores, "accuracy": {**accuracy, "items": items}})


def folder(path: Path, records: list[Record]) -> Path:
    for record in records:
        write_record(path, record)
    entry = {"command": f"wordways {path.name}", "cells": {record.cell: "" for record in records}}
    (path / "config.yaml").write_text(yaml.safe_dump([entry, {"command": "wordways both", "cells": {}}]))
    return path


@pytest.fixture
def two(results: Path, tmp_path: Path) -> Callable[[Change], list[Path]]:
    """Two folders of the same runs; the second one's are changed."""

    def made(change: Change) -> list[Path]:
        records = [on(record, "A") for record in done(results)]
        return [folder(tmp_path / "a", records), folder(tmp_path / "b", [change(record) for record in records])]

    return made


def merged(folders: list[Path]) -> list[Record]:
    out = folders[0].parent / "out"
    merge(folders, out)
    records, refused = read_records(out)
    assert not refused
    return records


def test_equal_runs_are_kept_once(two: Callable[[Change], list[Path]], results: Path) -> None:
    folders = two(lambda record: replace(record, provenance={**record.provenance, "started": "later"}))
    pack(folders[1])
    assert merged(folders) == read_records(folders[0])[0]
    told = yaml.safe_load((folders[0].parent / "out" / "config.yaml").read_text())
    assert [entry["command"] for entry in told] == ["wordways a", "wordways both", "wordways b"]


def test_runs_of_both_are_there_and_what_failed_counts_least(
    two: Callable[[Change], list[Path]], results: Path
) -> None:
    folders = two(lambda record: replace(record, status="failed", reason="power", timing=[]))
    for path in sorted((folders[0] / "cells").iterdir())[:2]:
        path.unlink()
    records = merged(folders)
    assert [record.status for record in records].count("failed") == 2
    assert len(records) == len(done(results))


def test_times_of_two_machines_stand_apart_and_are_never_averaged(two: Callable[[Change], list[Path]]) -> None:
    records = merged(two(lambda record: on(record, "B", slower=3)))
    rows = rows_of(records)
    assert len(records) == 2 * sum(len(row.records) for row in rows), "every record has its other timing beside it"
    for row in rows:
        assert row.over_seeds(derive.latency) is None
        assert row.over_seeds(derive.calls) is not None
    parts = apart_by_machine(rows)
    assert [row.label.rpartition("on ")[2][0] for row in parts] == ["A"] * len(rows) + ["B"] * len(rows)
    for fast, slow in zip(parts[: len(rows)], parts[len(rows) :], strict=True):
        times = [row.over_seeds(derive.latency) for row in (fast, slow)]
        assert times[0] is not None
        assert times[1] is not None
        assert times[1].value == pytest.approx(3 * times[0].value)
        assert fast.over_seeds(derive.calls) == slow.over_seeds(derive.calls)


def test_different_numbers_stand_side_by_side(two: Callable[[Change], list[Path]], undrawn: None) -> None:
    folders = two(lambda record: on(worse(record) if record.config["preset"] == "parallel" else record, "B", slower=2))
    rows = [row for row in rows_of(merged(folders)) if row.first().config["preset"] == "parallel"]
    assert [(row.machine[:4], len(row.records)) for row in rows] == [("on A", 2), ("on B", 2)]
    assert rows[0].first().scores != rows[1].first().scores
    out = folders[0].parent / "out"
    shown = write_report(out)
    assert "A, " in shown
    assert " and B, " in shown
    assert "not compared" in shown
    page = (out / "report" / "report.md").read_text()
    for machine in "AB":
        assert f"on {machine}/1 threads" in page
    again = {path.name: path.read_bytes() for path in (out / "cells").iterdir()}
    merge(folders, out)
    assert {path.name: path.read_bytes() for path in (out / "cells").iterdir()} == again
    assert (out / "report" / "index.html").is_file(), "merged again, the report stays until it is built again"


def test_a_packed_run_from_another_machine_is_not_replaced(results: Path, tmp_path: Path) -> None:
    record = on(done(results)[0], "A")
    for other, count in (
        (replace(record, reason="again"), 1),
        (on(record, "B", slower=2), 2),
        (on(worse(record), "C"), 2),
    ):
        where = tmp_path / other.provenance["device"]
        write_record(where, record)
        pack(where)
        write_record(where, other)
        records, refused = read_records(where)
        assert not refused
        assert len(records) == count
        pack(where)
        assert read_records(where)[0] == records, "packed as well"


def test_seeds_from_two_machines_are_one_row_of_two_timings(results: Path) -> None:
    seeds = [record for record in done(results) if record.config["preset"] == "parallel"]
    (row,) = rows_of([on(seeds[0], "A"), on(seeds[1], "B")])
    assert len(row.records) == 2
    assert row.over_seeds(derive.latency) is None
    assert [len(part.records) for part in apart_by_machine([row])] == [1, 1]


def refused(folders: list[Path], out: Path) -> str:
    with pytest.raises(ChoiceError) as error:
        merge(folders, out)
    return str(error.value)


def test_nothing_else_is_overwritten(two: Callable[[Change], list[Path]], results: Path, tmp_path: Path) -> None:
    folders = two(lambda record: record)
    assert "must not be one of the folders" in refused(folders, folders[0])
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    assert "holds something else" in refused(folders, tmp_path / "notes")
    merge(folders, tmp_path / "out")
    assert "holds something else" in refused(folders[:1], tmp_path / "out")
    write_record(tmp_path / "out", replace(done(results)[0], cell="f" * 16))
    assert f"such as {'f' * 16}.json" in refused(folders, tmp_path / "out")
    (folders[0] / "config.yaml").write_text("a: [")
    assert "config.yaml: is damaged" in refused(folders, tmp_path / "new")
    assert not list(tmp_path.glob(".*")), "nothing half-made stays"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> int:
    """The status of the command, in this process."""
    monkeypatch.setattr(sys, "argv", ["wordways-report", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    try:
        command.main()
    except SystemExit as ended:
        return int(str(ended.code))
    return 0


def test_places_that_cannot_be_written_cost_one_line(
    results: Path, tmp_path: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    for asked in (
        [results, "--out", tmp_path / "file" / "x"],
        [results, "--out", tmp_path / "full"],
        [results, "--out", tmp_path / "x", "--pack"],
        [results, results, "--out", tmp_path / "full"],
        [results, "--merge", tmp_path / "file" / "x"],
        [results, results, results],
        [tmp_path / "nowhere"],
    ):
        assert run(monkeypatch, *asked) == 2, asked
        said = capsys.readouterr()
        assert (said.err.count("\n"), said.out) == (1, ""), asked
    assert run(monkeypatch, results, "--out", tmp_path / "new" / "report") == 0
    assert (tmp_path / "new" / "report" / "index.html").is_file()
    assert run(monkeypatch, results, "--out", tmp_path / "new" / "report") == 0, "over a report of its own"


def test_every_command_says_what_it_left_out(
    results: Path, tmp_path: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = done(results)[0]
    path = write_record(tmp_path / "a", record)
    bad = path.with_name(f"{'0' * 16}.json")
    bad.write_text(path.read_text()[:100])
    (tmp_path / "a" / "cells.tar.xz").write_bytes(b"garbage")
    for asked in ([], ["--oracles"], ["--table", "quality"], [tmp_path / "a"], ["--merge", tmp_path / "m"]):
        assert run(monkeypatch, tmp_path / "a", *asked) == 0
        said = capsys.readouterr()
        for name in (bad.name, "cells.tar.xz: not a complete archive"):
            assert sum(name in line for line in (said.out + said.err).splitlines()) >= 1, asked
        for line in said.out.splitlines() if "--oracles" in asked else []:
            json.loads(line)
    for asked in ("--pack", "--migrate"):
        assert run(monkeypatch, tmp_path / "a", asked) == 2
        assert "cells.tar.xz: not a complete archive" in capsys.readouterr().err
    assert bad.is_file(), "what cannot be read is not touched"
