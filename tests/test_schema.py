"""Any JSON may stand anywhere in a record: it is refused by the field's name, or the whole report is built from it."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from wordways.record import Record, parse_record
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
