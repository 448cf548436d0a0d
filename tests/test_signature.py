"""Signatures pin what was measured and on what machine, can be read back, and nothing in a name can forge a field."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordways.record import Record, read_records
from wordways.report.build import uncommitted_lines
from wordways.report.machines import mixed_machines
from wordways.report.numbers import data_frame
from wordways.report.rows import Row, rows_of
from wordways.report.signature import parse, ranges, signature, write
from wordways.report.tables.quality import table as quality_table

VALUES = st.lists(st.text(), min_size=1, max_size=4)


@given(st.dictionaries(st.text(), VALUES, min_size=1))
def test_what_is_written_is_read(fields: dict[str, list[str]]) -> None:
    text = write(fields)
    assert parse(text) == fields
    assert text.isascii()
    assert "\n" not in text
    assert len(text.split("|")) == len(fields)


@given(st.sets(st.integers(0, 30), min_size=1))
def test_ranges_cover_the_seeds_and_no_others(seeds: set[int]) -> None:
    covered = [range(int(run.split("-")[0]), int(run.split("-")[-1]) + 1) for run in ranges(seeds)]
    assert sorted(seed for run in covered for seed in run) == sorted(seeds)


def test_a_table_and_a_row_name_what_shaped_them(results: Path) -> None:
    rows = rows_of(read_records(results)[0])
    fields = parse(signature(rows))
    assert fields["task"] == ["list_operations_n_4"]
    assert fields["paradigm"] == ["autoregressive", "masked_infill", "parallel", "diffusion"]
    assert fields["budget"] == ["20x16"]
    assert fields["seed"] == ["0-1"]
    assert fields["items"] == ["120"], "40 of each of three operations"
    assert fields["dtype"] == ["float32"]
    assert fields["cells"][0].startswith("6/")
    one = next(row for row in rows if row.label == "diffusion (2 per pass)")
    assert "per_pass=2" in parse(signature([one]))["decoder"][0]
    assert signature([]) == ""


def test_a_signature_changes_with_whatever_changes_a_cell_and_is_never_forged(results: Path) -> None:
    row = rows_of(read_records(results)[0])[0]
    record = row.first()
    other = replace(row, records=[replace(record, cell="0" * 16)])
    assert signature([other]) != signature([row])
    forged = {**record.provenance, "device": "x|seed:9\n|cells:1/0 <script>"}
    fields = parse(signature([replace(row, records=[replace(record, provenance=forged)])]))
    assert fields["seed"] == ["0"]
    assert fields["device"][0].startswith("x|seed:9\n|cells:1/0 <script>")


@pytest.fixture
def row(results: Path) -> Row:
    return rows_of(read_records(results)[0])[0]


def on(record: Record, **provenance: Any) -> Record:
    """The record as another machine would have written it."""
    return replace(record, provenance={**record.provenance, **provenance})


def rates(gflops: float, gigabytes: float) -> dict[str, float]:
    return {"flops_per_s": gflops * 1e9, "bytes_per_s": gigabytes * 1e9}


def test_the_machine_is_pinned_by_more_than_its_name(row: Row) -> None:
    known = {"vendor": "AuthenticAMD", "family": 25, "model": 17, "stepping": 1}
    pair = [
        on(row.first(), device="AMD EPYC", threads=2, processor=known, peak=rates(150.4, 54.9)),
        on(row.first(), device="AMD EPYC", threads=2, processor=None, peak=rates(209.6, 37.6)),
    ]
    fields = parse(signature([replace(row, records=pair)]))
    assert fields["device"] == ["AMD EPYC family 25 model 17/2 threads", "AMD EPYC/2 threads"]
    assert fields["peaks"] == ["150-210 GFLOP/s, 38-55 GB/s"]
    assert fields["torch"] == [row.first().provenance["versions"]["torch"]]
    half = parse(signature([replace(row, records=[pair[1], on(pair[1], peak=None)])]))
    assert half["peaks"] == ["210 GFLOP/s, 38 GB/s", "unknown"]


def test_accelerators_are_not_called_by_the_processor_beside_them(row: Row) -> None:
    record = on(row.first(), device="NVIDIA H100", threads=16, processor={"family": 6, "model": 143})
    record = replace(record, config={**record.config, "device": "cuda"})
    assert parse(signature([replace(row, records=[record])]))["device"] == ["NVIDIA H100/16 threads"]


def test_machines_that_differ_are_said_and_others_are_not(row: Row) -> None:
    plain = {"processor": None, "versions": {"torch": "2.0", "wordways": "0"}}
    one = on(row.first(), device="A", threads=2, peak=rates(100, 50), **plain)
    assert mixed_machines([]) == mixed_machines([one]) == ""
    assert mixed_machines([one, on(one, peak=rates(109, 46))]) == "", "within a tenth"
    assert mixed_machines([one, on(one, peak=None)]) == "", "nothing is known of the other"
    faster = mixed_machines([one, on(one, peak=rates(205.4, 50))])
    assert faster == "Rows were timed on machines of different speed: 100 to 205 GFLOP/s."
    both = mixed_machines([one, on(one, threads=1, peak=rates(10, 4.956))])
    devices, speeds = "A/2 threads and A/1 threads", "10 to 100 GFLOP/s, 4.96 to 50 GB/s"
    assert both == f"Rows were timed on different machines: {devices}, {speeds}."
    newer = mixed_machines([one, on(one, versions={"torch": "2.1", "wordways": "0"})])
    assert newer == "Rows were timed on different machines: torch 2.0 and 2.1."
    models = [on(one, processor={"family": "25", "model": model}) for model in ("1", "17")]
    assert mixed_machines([one, models[0]]) == "", "the model of the other is unknown"
    names = "A family 25 model 1/2 threads and A family 25 model 17/2 threads"
    assert mixed_machines([one, *models]) == f"Rows were timed on different machines: {names}."


def test_uncommitted_changes_are_said(row: Row) -> None:
    clean, dirty = on(row.first(), dirty=False), on(row.first(), dirty=True)
    version = clean.provenance["versions"]["wordways"]
    assert parse(signature([replace(row, records=[clean])]))["wordways"] == [version]
    assert parse(signature([replace(row, records=[dirty])]))["wordways"] == [f"{version} with uncommitted changes"]
    rows = [replace(row, label="a", records=[clean, clean]), replace(row, label="b", records=[dirty, clean])]
    assert uncommitted_lines(rows) == ["uncommitted changes: 1 of 4 records (b)"]
    assert uncommitted_lines(rows[:1]) == []
    assert uncommitted_lines([replace(row, records=[dirty, dirty])]) == ["uncommitted changes: 2 of 2 records"]


def test_it_stands_under_tables_and_in_the_data(results: Path) -> None:
    rows = rows_of(read_records(results)[0])
    table = replace(quality_table(rows), signature=signature(rows))
    assert table.markdown().endswith(f"\n`{signature(rows)}`\n\n</details>\n")
    assert table.plain().splitlines()[-1] == signature(rows)
    assert f"\n% {signature(rows)}\n" in table.latex()
    data = data_frame(rows)
    assert dict(zip(data["row"], data["signature"], strict=True)) == {row.label: signature([row]) for row in rows}
