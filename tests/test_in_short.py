"""The first sentences of a report: every number is the tables' own, and nothing is called decided that is not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from wordways.record import Record, read_records
from wordways.report.in_short import in_short, listed
from wordways.report.rows import Row, rows_of
from wordways.report.tables.quality import table as quality_table
from wordways.report.tables.speed import table as speed_table

SIZE = 40


def planted(first: Record, name: str, right: int, seed: int = 0, size: int = SIZE) -> Record:
    """A record of `size` items of one stratum, the first `right` of them right."""
    config = {**first.config, "preset": name, "seed": seed, "title": {**first.config["title"], "paradigm": name}}
    ids = [f"{i}" for i in range(size)]
    scores = {"accuracy": {**first.scores["accuracy"], "items": [1] * right + [0] * (size - right)}}
    return replace(
        first, cell=f"{name}{seed}", config=config, item_ids=ids, strata=dict.fromkeys(ids, "one"), scores=scores,
        likelihood=None, timing=[], trace=None,
    )  # fmt: skip


@pytest.fixture
def first(results: Path) -> Record:
    return next(r for r in read_records(results)[0] if r.status == "ok" and r.config["preset"] == "parallel")


def sentences(records: Sequence[Record]) -> list[str]:
    return in_short(rows_of(records)).sentences


def test_the_best_is_named_with_what_does_not_differ(first: Record) -> None:
    said = sentences([planted(first, "good", 39), planted(first, "near", 38), planted(first, "bad", 10)])
    assert said[0].startswith("good has the best accuracy, 0.975 (0.871–0.996). Not significantly different: near.")
    assert said[1].startswith("Undecided between good and near: their difference is ")


def test_a_sure_best_leaves_nothing_undecided(first: Record) -> None:
    said = sentences([planted(first, "good", 40), planted(first, "bad", 10)])
    assert said == [said[0]]
    assert "Not significantly" not in said[0]


def test_where_nothing_differs_nothing_is_best(first: Record) -> None:
    said = sentences([planted(first, "a", 20), planted(first, "b", 21)])
    assert said[0].endswith("but no configuration differs significantly from it.")


def test_how_many_more_items_would_decide(first: Record) -> None:
    """With that many times the items and the same share of differences, the difference is significant."""
    said = sentences([planted(first, "a", 20), planted(first, "b", 22)])
    (times,) = [int(part.split(" times as many test items")[0].split()[-1]) for part in said if "times as many" in part]
    assert 2 <= times <= 10
    size = SIZE * times
    again = sentences([planted(first, "a", size // 2, size=size), planted(first, "b", size * 22 // 40, size=size)])
    assert again[0].startswith("b has the best accuracy")
    assert "differs significantly from it" not in again[0]


def test_two_seeds_are_warned_of(first: Record) -> None:
    records = [planted(first, name, right + seed, seed) for name, right in (("a", 20), ("b", 24)) for seed in (0, 1)]
    said = sentences(records)
    assert said[-1] == "Warning: two seeds are too few for an interval over trainings; run a third."
    assert "±" not in said[0]
    assert "±" not in quality_table(rows_of(records)).frame.to_csv()
    three = [planted(first, "a", 20 + seed, seed) for seed in range(3)]
    assert "Warning" not in " ".join(sentences(three))
    assert "±" in str(quality_table(rows_of(three)).frame.iloc[0, 1])


def test_its_numbers_are_those_of_the_tables(results: Path) -> None:
    rows = [row for row in rows_of([r for r in read_records(results)[0] if r.status == "ok"])]
    found = in_short(rows)
    quality, speed = (kind(rows).frame.set_index("") for kind in (quality_table, speed_table))
    fastest = next(line for line in found.sentences if "has the lowest latency" in line)
    row = fastest.partition(" has the lowest")[0]
    milliseconds = fastest.partition("latency, ")[2].partition(" ms")[0]
    assert str(speed.loc[row, "latency/token (ms)"]).startswith(milliseconds)
    assert str(quality.loc[row, "all"]) in fastest
    best = found.sentences[0]
    assert str(quality.loc[best.partition(" has the best")[0], "all"]) in best
    assert "parameters; seeds 0-1; " in found.setting
    assert "(steps x batch size)" in found.setting


def test_long_lists_are_cut() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefg")) == "a, b, c, d and 3 more"


def test_rows_of_one_configuration_have_no_best(first: Record) -> None:
    rows: list[Row] = rows_of([planted(first, "a", 20)])
    assert in_short(rows).sentences == ["a has accuracy 0.500 ±0.148."]
