"""Trade-offs on settings whose answers were worked out by hand; properties for all others."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_record import EMPTY

from wordways.record import read_records
from wordways.report.rows import Row, rows_of
from wordways.report.stats import Interval
from wordways.report.tables.tradeoffs import shown
from wordways.report.tables.tradeoffs import table as tradeoff_table
from wordways.report.tradeoffs import Point, hypervolume, latency_at, quality_within, unbeaten


def point(label: str, time: float, quality: float, half: float = 0.0) -> Point:
    row = Row(label, "p", "t", [EMPTY])
    return row, Interval(time, 0.9 * time, 1.1 * time, "", 9), Interval(quality, quality - half, quality + half, "", 9)


POINTS = [point("slow", 1.0, 0.9, 0.02), point("fast", 0.1, 0.5, 0.1), point("middle", 0.5, 0.86, 0.05)]


def test_latency_at_a_quality_asks_for_the_lower_end() -> None:
    found, row = latency_at(POINTS, 0.8)
    assert row is not None
    assert found is not None
    assert (row.label, found.value, found.low, found.high) == ("middle", 0.5, 0.45, 0.55)
    assert latency_at(POINTS, 0.82)[0] == replace(found, value=1.0, low=0.9, high=1.1), "0.86 - 0.05 is below .82"
    assert latency_at(POINTS, 0.89) == (None, None), "no value rather than 0"


def test_quality_within_a_budget_is_the_best_and_its_interval_that_of_a_greatest() -> None:
    found, row = quality_within(POINTS, 1.0)
    assert row is not None
    assert found is not None
    assert (row.label, found.value) == ("slow", 0.9)
    assert (found.low, found.high) == (pytest.approx(0.88), pytest.approx(0.92))
    assert quality_within(POINTS, 0.05) == (None, None)


def test_the_area_is_quality_times_decades() -> None:
    found = hypervolume([point("a", 0.1, 0.5), point("b", 1.0, 0.9), point("beaten", 2.0, 0.3)], 10.0)
    assert found is not None
    assert found.value == pytest.approx(0.5 * 1 + 0.9 * 1)
    assert found.low == pytest.approx(0.5 * 1 + 0.9 * math.log10(10 / 1.1))
    assert found.high == pytest.approx(0.5 * 1 + 0.9 * math.log10(10 / 0.9))
    assert hypervolume([point("late", 20.0, 1.0)], 10.0) is None
    assert hypervolume([point("wrong", 1.0, 0.0)], 10.0) is None


def test_a_quality_below_the_resolution_is_none() -> None:
    faint = [point("faint", 0.5, 1e-94), point("late", 20.0, 0.9)]
    assert hypervolume(faint, 10.0, 0.05) is None, "no value rather than one in powers of ten"
    one, more = hypervolume(POINTS, 10.0, 0.05), hypervolume([*POINTS, *faint], 10.0, 0.05)
    assert one is not None
    assert more is not None
    assert more.value == one.value


def test_latencies_whose_intervals_reach_zero_leave_no_infinite_area() -> None:
    row, time, quality = POINTS[2]
    loose = (row, replace(time, low=-0.3), quality)
    found = hypervolume([loose], 10.0)
    assert found is not None
    assert not found.known()
    assert found.value == pytest.approx(0.86 * math.log10(10 / 0.5))
    assert shown(found, None, "{:.2f}".format) == f"{found.value:.2f}", "no interval is printed"
    latency, _ = latency_at([loose], 0.8)
    assert latency is not None
    assert latency.low == 0, "no time is negative"


def test_nothing_is_known_of_what_has_no_interval() -> None:
    row, time, quality = POINTS[0]
    few = (row, replace(time, method="none"), quality)
    found, _ = latency_at([few, POINTS[2]], 0.8)
    assert found is not None
    assert (found.value, found.known()) == (0.5, False), "the minimum's ends depend on both"
    assert latency_at([(row, time, replace(quality, method="none"))], 0.8) == (None, None), "its lower end is unknown"


@given(
    st.lists(st.tuples(st.floats(0.01, 9), st.floats(0.01, 1)), min_size=1, max_size=8),
    st.tuples(st.floats(0.01, 9), st.floats(0.01, 1)),
)
def test_another_setting_never_makes_the_area_smaller(points: list[tuple[float, float]], more: tuple[float, float]):
    made = [point(str(i), *one) for i, one in enumerate(points)]
    one, both = hypervolume(made, 10.0), hypervolume([*made, point("more", *more)], 10.0)
    assert one is not None
    assert both is not None
    assert both.value >= one.value - 1e-12
    assert one.low <= one.value <= one.high


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12), st.booleans())
def test_the_front_is_what_no_other_beats(points: list[tuple[float, float]], higher: bool) -> None:
    def beaten(one: tuple[float, float]) -> bool:
        worse = [(x, y) for x, y in points if x <= one[0] and (y >= one[1] if higher else y <= one[1])]
        return any(other != one for other in worse)

    assert unbeaten(points, higher) == sorted({one for one in points if not beaten(one)})


def test_a_task_has_a_table_with_its_baseline_and_reference_point(results: Path) -> None:
    rows = rows_of(read_records(results)[0])
    rows = [replace(rows[0], records=[scored(record, 1) for record in rows[0].records]), *rows[1:]]
    table = tradeoff_table(rows)
    assert table is not None
    assert list(table.frame[""]) == ["autoregressive", "masked infill", "parallel", "diffusion"]
    assert table.note.startswith("Baseline: AR, end-to-end latency ")
    assert "decades of latency, from quality 0 and " in table.details
    at = dict(zip(table.frame[""], table.frame["latency at 95% (ms)"], strict=True))
    assert at["autoregressive"].endswith(" AR")
    assert set(table.frame["latency at 99% (ms)"]) == {"–"}, "of 120 right texts the lower end is .97"
    assert at["parallel"] == "–", "twenty steps teach nothing: no value rather than 0"
    assert tradeoff_table([replace(rows[0], records=[scored(r, 0) for r in rows[0].records]), *rows[1:]]) is None


def scored(record, value: int):
    entry = record.scores["accuracy"]
    return replace(record, scores={"accuracy": {**entry, "items": [value] * len(entry["items"])}})
