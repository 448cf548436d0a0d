"""Any JSON may stand anywhere in a record: it is refused by the field's name, or the whole report is built from it."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordways.record import Record, canonical, parse_record, read_records
from wordways.report.build import build
from wordways.report.compare import compare
from wordways.report.frames import cells_frame, items_frame, timing_frame
from wordways.report.rows import rows_of
from wordways.report.speed_ratios import speed_ratios

NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -0.5, 1e-300, 1e15, -1e15, 1e300, 2**63, 10**400, 17, 1000])
TEXTS = st.sampled_from(
    ["", "nan", "NA", "=1+1", "a.b", "os.system", "exact", "tasks.Bigram", "\u202e\x1b[2J\n", "a|b"]
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
DEEP = st.integers(2, 300).map(lambda depth: [json.loads("[" * depth + "]" * depth)])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
Place = tuple[str | int, ...]


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every place of a value; of a list the first two and the last, since the others are alike."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in list(value.items())[:20]:
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for number in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
            yield from places(value[number], (*path, number))


def alike(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same type, which are more likely to be allowed."""
    if isinstance(value, bool) or value is None:
        return LEAVES
    if isinstance(value, int | float):
        return NUMBERS if isinstance(value, int) else NUMBERS | st.floats(allow_nan=False, allow_infinity=False)
    if isinstance(value, str):
        return TEXTS | st.text(max_size=5)
    if isinstance(value, list):
        return st.lists(st.sampled_from(value) if value else VALUES, min_size=len(value), max_size=len(value) + 1)
    return st.sampled_from([{}, *({name: value[name]} for name in value)])


def changed(draw: Callable[..., Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with one place replaced, moved, deleted, or of another length."""
    fields = deepcopy(fields)
    every = list(places(fields))
    field = draw(st.sampled_from(sorted(fields)))
    *way, last = draw(st.sampled_from([place for place in every if place[0] == field]))
    at: Any = fields
    for step in way:
        at = at[step]
    how = draw(st.sampled_from(["alike", "alike", "replace", "copy", "delete", "shorter", "longer", "deep"]))
    if how == "delete":
        del at[last]
    elif how == "copy":
        source: Any = fields
        for step in draw(st.sampled_from(every)):
            source = source[step]
        at[last] = deepcopy(source)
    elif how in ("shorter", "longer") and isinstance(at[last], list):
        at[last] = at[last][:-1] if how == "shorter" else [*at[last], *at[last][-1:]]
    elif how == "longer" and isinstance(at[last], dict):
        at[last] = at[last] | {draw(TEXTS): draw(VALUES)}
    elif how == "alike":
        at[last] = draw(alike(at[last]))
    else:
        at[last] = draw(DEEP if how == "deep" else VALUES)
    return fields


def read(name: str, fields: dict[str, Any]) -> Record | str:
    """The record; the reason why it is none, which is one line."""
    try:
        return parse_record(name, json.dumps(fields, ensure_ascii=False).encode())
    except ValueError as error:
        reason = str(error)
    assert reason.startswith(f"{name}: ")
    assert reason.isprintable()
    assert len(reason) < 500
    return reason


def report(records: list[Record], refused: list[str], folder: Path) -> None:
    """Everything that is built from records."""
    build("hostile", records, refused, folder, 2)
    compare(records, records)
    speed_ratios(records, records)
    cells_frame(records, rows_of(records))
    items_frame(records)
    timing_frame(records)


@pytest.fixture(scope="module")
def real(results: Path) -> list[dict[str, Any]]:
    """The fields of a few real records: two seeds of a configuration, another paradigm, and one that was skipped."""
    every = [json.loads(path.read_text()) for path in sorted((results / "cells").iterdir())]
    presets = ("parallel", "diffusion_k2")
    return [fields for fields in every if fields["config"]["preset"] in presets or fields["status"] == "skipped"]


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of which everything is made and nothing is drawn or written: files and figures take most of the time."""
    for name in ("save_figures", "save_series", "save_theory"):
        monkeypatch.setattr(f"wordways.report.plots.{name}", lambda *_, **__: {})
    for module in ("build", "table"):
        monkeypatch.setattr(f"wordways.report.{module}.write_atomically", lambda *_: None)
    monkeypatch.setattr("pandas.DataFrame.to_parquet", lambda *_, **__: None)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_record_is_refused_by_its_field_or_the_whole_report_is_built(
    real: list[dict[str, Any]], unwritten: None, tmp_path: Path, data: st.DataObject
) -> None:
    found = [read(f"{number:016x}.json", changed(data.draw, fields)) for number, fields in enumerate(real)]
    records = [one for one in found if isinstance(one, Record)]
    report(records, [one for one in found if isinstance(one, str)], tmp_path)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda fields: fields.update(timing=3), "field timing: "),
        (lambda fields: fields["timing"][0].update(repeats_ns=[[0]]), "field timing[0].repeats_ns[0][0]: "),
        (lambda fields: fields["timing"][0].update(first=10**6), "field timing[0].first: must be below"),
        (lambda fields: fields["scores"]["accuracy"]["items"].pop(), "field scores.accuracy.items: must have"),
        (lambda fields: fields["scores"]["accuracy"].update(items=[10**400]), "field scores.accuracy.items[0]: "),
        (lambda fields: fields["strata"].popitem(), "field strata: must have the stratum of every item"),
        (lambda fields: fields["item_ids"].append(fields["item_ids"][0]), "field item_ids: must be different"),
        (lambda fields: fields["config"].pop("preset"), "field config.preset: field required"),
        (lambda fields: fields["config"].update(seed="0"), "field config.seed: "),
        (
            lambda fields: fields["config"]["train"].update(lr=10**400),
            "field config.train.lr: must be an integer below 2^63",
        ),
        (lambda fields: fields.update(status="done"), "field status: "),
        (lambda fields: fields.update(cell="../../x"), "field cell: "),
        (lambda fields: fields["budgets"].pop("flops"), "field budgets.flops: field required"),
        (lambda fields: fields["provenance"].update({"\x1b]0;x\n": 1, "threads": 0}), "field provenance.threads: "),
        (lambda fields: fields["trace"]["settled"][0].append(1), "field trace.settled[0]: must have"),
        (lambda fields: fields["likelihood"]["nats"].pop(), "field likelihood.nats: must have"),
    ],
)
def test_what_is_wrong_is_named(
    real: list[dict[str, Any]], change: Callable[[dict[str, Any]], Any], where: str
) -> None:
    fields = deepcopy(next(fields for fields in real if fields["status"] == "ok"))
    assert isinstance(read("a.json", fields), Record)
    change(fields)
    assert str(read("a.json", fields)).startswith(f"a.json: {where}")


def test_nesting_has_an_end(real: list[dict[str, Any]]) -> None:
    for depth, reason in ((100, "must have at most 32 levels"), (100_000, "not readable as JSON")):
        text = canonical(real[0]).replace('"preset":', f'"deep":{"[" * depth + "]" * depth},"preset":')
        with pytest.raises(ValueError, match=reason):
            parse_record("a.json", text.encode())


@pytest.mark.parametrize("folder", ["oracle", "pretrained_small", "own_errors"])
def test_kept_records_are_all_records(folder: str) -> None:
    records, refused = read_records(ROOT / "results" / folder)
    assert records
    assert not refused
