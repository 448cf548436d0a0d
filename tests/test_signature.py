"""Signatures pin what was measured, can be read back, and nothing in a name can forge a field."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wordways.record import read_records
from wordways.report.numbers import data_frame
from wordways.report.rows import rows_of
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
    assert fields["device"][0].startswith("x|seed:9\n|cells:1/0 <script>/")


def test_it_stands_under_tables_and_in_the_data(results: Path) -> None:
    rows = rows_of(read_records(results)[0])
    table = replace(quality_table(rows), signature=signature(rows))
    assert table.markdown().endswith(f"\n`{signature(rows)}`\n\n</details>\n")
    assert table.plain().splitlines()[-1] == signature(rows)
    assert "task:list\\_operations\\_n\\_4\\textbar{}\\allowbreak{}" in table.latex()
    data = data_frame(rows)
    assert dict(zip(data["row"], data["signature"], strict=True)) == {row.label: signature([row]) for row in rows}
