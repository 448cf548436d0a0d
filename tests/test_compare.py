"""Two folders beside each other: planted changes are found, equal folders move nowhere, refusals are one line."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordways.record import Record, read_records, write_record
from wordways.report.compare import compare, difference, quotient
from wordways.report.speed_ratios import speed_ratios
from wordways.report.stats import Interval

COMMAND = [sys.executable, "-m", "wordways.report"]


def ok(results: Path) -> list[Record]:
    return [record for record in read_records(results)[0] if record.status == "ok"]


def test_a_folder_beside_itself_moves_nowhere(results: Path) -> None:
    table, only = compare(ok(results), ok(results))
    assert set(table.frame["verdict"]) == {"within noise"}
    assert {"end_to_end", "accuracy, shuffle", "calls", "peak_megabytes_at_1"} <= set(table.frame["measure"])
    assert only == []


def test_planted_changes_are_found_on_another_device(results: Path) -> None:
    changed = []
    for record in ok(results):
        timing = [
            {**entry, "repeats_ns": [[3 * n for n in repeat] for repeat in entry["repeats_ns"]]}
            for entry in record.timing
        ]
        scores = {"accuracy": {**record.scores["accuracy"], "items": [1] * len(record.item_ids)}}
        moved = replace(record, cell=record.cell[::-1], config={**record.config, "device": "cuda"}, timing=timing)
        changed.append(replace(moved, scores=scores) if record.config["preset"] == "diffusion_k1" else moved)
    gone = [record for record in changed if record.config["preset"] != "masked_infill"]
    table, only = compare(ok(results), gone)
    assert only == ["only in A: list_operations_n_4, masked infill"]
    lines = table.frame.to_dict("records")
    assert {line["change"] for line in lines if line["measure"] == "end_to_end"} == {"×3"}
    assert {line["change"] for line in lines if line["measure"] == "tokens_per_second_at_1"} <= {"×0.3333", "+0"}
    verdicts = {(line[""], line["measure"]): line["verdict"] for line in lines}
    assert verdicts["list_operations_n_4, diffusion (1 per pass)", "accuracy, shuffle"] == "beyond noise"
    assert verdicts["list_operations_n_4, diffusion (2 per pass)", "accuracy, shuffle"] == "within noise"
    order = ["beyond noise", "no interval", "within noise"]
    assert list(table.frame["verdict"]) == sorted(table.frame["verdict"], key=order.index)


def slower(record: Record, factor: float) -> Record:
    timing = [
        {**entry, "repeats_ns": [[round(factor * n) for n in repeat] for repeat in entry["repeats_ns"]]}
        for entry in record.timing
    ]
    return replace(record, timing=timing)


def test_a_faster_machine_changes_no_ratio_and_a_slower_row_does(results: Path) -> None:
    """Everything three times slower, and diffusion (1 per pass) 4 % more than that, parallel 2 % less."""
    factors = {"diffusion_k1": 3 * 1.04, "parallel": 3 * 0.98}
    moved = [slower(record, factors.get(record.config["preset"], 3)) for record in ok(results)]
    table = speed_ratios(ok(results), moved)
    assert table is not None
    lines = table.frame.to_dict("records")
    changes = {line[""]: line["change"] for line in lines if line["measure"] == "end-to-end latency"}
    assert changes == {
        "list_operations_n_4, masked infill / AR": "+0.0%",
        "list_operations_n_4, parallel / AR": "-2.0%",
        "list_operations_n_4, diffusion (1 per pass) / AR": "+4.0%",
        "list_operations_n_4, diffusion (2 per pass) / AR": "+0.0%",
    }
    assert table.note == "Over all pairs of configurations, the ratio that changed most did by 6.1%.", "1.04 / 0.98"
    assert all(name in table.details for name in (" parallel", "diffusion (1 per pass)"))
    assert {line["measure"] for line in lines} <= {"end-to-end latency", *(f"throughput, batch {b}" for b in (1, 4))}
    still = speed_ratios(ok(results), [slower(record, 3) for record in ok(results)])
    assert still is not None
    assert set(still.frame["change"]) == {"+0.0%"}
    assert speed_ratios(ok(results)[:1], ok(results)[:1]) is None, "no pair"


def test_intervals_of_unpaired_rows() -> None:
    a, b = Interval(0.5, 0.4, 0.7, "Wilson", 9), Interval(0.8, 0.5, 0.9, "Wilson", 9)
    found = difference(a, b)
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - (0.3**2 + 0.2**2) ** 0.5), "Newcombe (1998)"
    assert found.high == pytest.approx(0.3 + (0.1**2 + 0.1**2) ** 0.5)
    assert found.method == "MOVER of Wilson"


@given(st.floats(0.1, 10), st.floats(0.1, 10), st.floats(1.01, 3), st.floats(1.01, 3))
def test_a_ratio_turned_round_is_its_inverse(a: float, b: float, wide: float, wider: float) -> None:
    one, other = Interval(a, a / wide, a * wider, "x", 9), Interval(b, b / wider, b * wide, "x", 9)
    there, back = quotient(one, other), quotient(other, one)
    assert there.value * back.value == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1)
    assert there.low <= there.value <= there.high


def test_the_command_compares_and_refuses_in_one_line(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "b", ignore=shutil.ignore_patterns("report"))
    named = {"preset": "<b>|x", "title": {"paradigm": "<b>|x", "task": "<b>|y"}}
    for record in ok(tmp_path / "b"):
        write_record(tmp_path / "b", replace(record, config={**record.config, **named}))
    out = tmp_path / "moved.csv"
    done = subprocess.run(
        [*COMMAND, str(results), str(tmp_path / "b"), "--out", str(out)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "**Changes from A to B**" in done.stdout
    assert "**Ratios of speed in A and in B**" in done.stdout
    assert "<b>" not in done.stdout
    assert set(pd.read_csv(tmp_path / "moved_ratios.csv")["change"]) == {"+0.0%"}
    assert set(pd.read_csv(out)["verdict"]) == {"within noise"}
    for arguments in ([str(results), str(tmp_path / "none")], [str(results)] * 3, [str(results), "--out", str(out)]):
        bad = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
        assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1), bad.stderr
