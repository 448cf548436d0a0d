"""The schema of a record: what every field must hold for reports to rely on it, checked once, when a record is read.

Types and ranges are pydantic's to check; what one field requires of another is checked in plain Python behind it. Names
that the schema does not know are allowed, because a later version may write more than this one reads.
"""

import math
import re
from collections.abc import Mapping
from functools import reduce
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

LONGEST = 60  # characters of a name in a message

Truth = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Positive = Annotated[int, Field(strict=True, gt=0, lt=2**63)]
Number = Annotated[float, Field(strict=True, ge=-1e15, le=1e15)]  # sums of squares stay finite
Amount = Annotated[float, Field(strict=True, ge=0, le=1e30)]  # of FLOP, tokens or parameters
Rate = Annotated[float, Field(strict=True, gt=0, le=1e24)]
Numbers = Annotated[list[Number], Field(fail_fast=True)]  # a list of a million texts has one error, not a million
Unknowns = Annotated[list[Number | None], Field(fail_fast=True)]
Stratum = Annotated[str, Field(min_length=1)]
Names = Annotated[list[str], Field(fail_fast=True)]
Counts = Annotated[list[Count], Field(fail_fast=True)]
Name = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]  # of a cell, and of its file
Settings = dict[str, Any]  # of a user's own classes too; `check_settings` bounds what stands in them


class Node(TypedDict):
    """The settings of a paradigm or a task: its class and whatever that class takes."""

    _target_: Annotated[str, Field(pattern=r"^\w+(\.\w+)+$", max_length=200)]


class Paradigm(Node):
    decoder: NotRequired[Settings | None]


class Train(TypedDict):
    teacher: NotRequired[Node]


class Title(TypedDict):
    paradigm: NotRequired[str]
    task: NotRequired[str]


class Config(TypedDict):
    """The settings of a run, of which those from `paradigm` to `dtype` identify the cell."""

    preset: str
    title: NotRequired[Title]
    paradigm: Paradigm
    task: Node
    backbone: Settings
    train: Train
    seed: Count
    measure: Settings
    device: str
    dtype: str


class Peak(TypedDict):
    flops_per_s: Rate
    bytes_per_s: Rate


class Session(TypedDict):
    session: str
    steady: Truth
    busy: list[Number | None]


class Provenance(TypedDict):
    started: str
    device: str
    threads: Positive
    platform: str
    python: str
    versions: dict[str, str | None]
    commit: str | None
    dirty: Truth | None
    processor: NotRequired[dict[str, str]]
    peak: NotRequired[Peak]
    timing: NotRequired[Session]
    training: NotRequired[str]
    curve: NotRequired[list[tuple[Count, Number | None, Number | None]]]
    seconds: NotRequired[dict[str, Number]]


class Score(TypedDict):
    """A metric by item; or, of one that is only known of whole sets, its `value` and that of every stratum."""

    unit: str
    higher_is_better: Truth | None
    items: NotRequired[Unknowns]
    statistics: NotRequired[Annotated[list[Numbers], Field(fail_fast=True)]]
    data: NotRequired[Unknowns]
    data_statistics: NotRequired[Annotated[list[Numbers], Field(fail_fast=True)]]
    value: NotRequired[Number | None]
    strata: NotRequired[dict[str, Number | None]]
    signature: NotRequired[str]
    loaded: NotRequired[str]


class Law(TypedDict):
    """Negative log-likelihoods, nats, by text; None where one is unknown or infinite."""

    kind: Literal["exact", "bound", "pseudo"]
    nats: Unknowns
    tokens: Counts
    law_nats: Unknowns
    exact: NotRequired[Unknowns | None]
    se: NotRequired[Unknowns]
    bytes: NotRequired[Counts]


class Exposure(TypedDict):
    own: Annotated[list[Numbers], Field(fail_fast=True)]
    data: Annotated[list[Numbers], Field(fail_fast=True)]


class Likelihood(Law):
    item_ids: Names
    own: NotRequired[Law | None]
    apart_nats: NotRequired[Unknowns | None]
    exposure: NotRequired[Exposure | None]


class Timing(TypedDict):
    """repeats_ns: nanoseconds of every forward pass, a list for each repeat.  settled: as in the trace."""

    workload: Literal["natural", "forced"]
    batch: Positive
    first: Count
    repeats_ns: Annotated[list[Annotated[list[Positive], Field(min_length=1)]], Field(min_length=1)]
    useful_tokens: Count
    useful_chars: Count
    peak_bytes: Count | None
    items: NotRequired[Counts]
    settled: NotRequired[Counts]
    work: NotRequired[list[tuple[Count, Count]]]


class Trace(TypedDict):
    """Of every traced text; filled, settled: the forward pass, from 1, that filled and that settled each position."""

    items: list[str]
    calls: list[Positive]
    positions: Counts
    useful_tokens: Counts
    filled: Annotated[list[Counts], Field(fail_fast=True)]
    settled: Annotated[list[Counts], Field(fail_fast=True)]
    nfe: NotRequired[list[Positive]]
    aligned: NotRequired[Truth]


class Sample(TypedDict):
    id: str
    text: str
    prompt: NotRequired[str]
    suffix: NotRequired[str]
    target: NotRequired[str]
    draft: NotRequired[str]


class Call(TypedDict):
    """moved: where the token of a position stood before the pass, if elsewhere."""

    wrote: list[tuple[Count, str | None]]
    likeliest: list[tuple[Count, list[tuple[str | None, Number]]]]
    moved: NotRequired[list[tuple[Count, Count]]]


class Replay(TypedDict):
    item: str
    start: list[str | None]
    calls: list[Call]


class Own(TypedDict):
    """What is a record's own; items and their strata are the same in all records of a task."""

    schema: Literal[1, 2]
    cell: Name
    status: Literal["ok", "skipped", "failed"]
    reason: str
    config: Config
    provenance: Provenance
    budgets: dict[str, Amount]
    scores: dict[str, Score]
    likelihood: Likelihood | None
    timing: list[Timing]
    trace: Trace | None
    samples: list[Sample]
    replay: NotRequired[list[Replay]]
    instances: NotRequired[dict[str, str]]
    aliases: NotRequired[list[Name]]


class Complete(Own):
    """One run: everything measured, unrounded."""

    item_ids: Names
    strata: dict[str, Stratum]


TRAINED = ("steps", "tokens", "supervised_tokens", "flops", "params")  # budgets of whatever was trained
OWN, ITEMS, STRATA = (
    TypeAdapter(Own),
    TypeAdapter(Annotated[list[str], Field(fail_fast=True)]),
    TypeAdapter(dict[str, Stratum]),
)
DEEPEST = 32  # levels of settings within settings


def check(fields: Mapping[str, Any]) -> None:
    """Raises ValueError, in one line that names the field, where what is a record's own is not as the schema has it."""
    validate(OWN, fields)
    check_settings("config", fields["config"])
    if fields["status"] == "ok":
        check_complete(fields)
    for name, score in fields["scores"].items():
        check_score(join("scores", name), score, len(fields["item_ids"]))
    if fields["likelihood"] is not None:
        check_likelihood(fields["likelihood"], fields["strata"])
    if fields["trace"] is not None:
        check_trace(fields["trace"], fields["strata"])
    repeats: dict[tuple[str, int], int] = {}
    for number, entry in enumerate(fields["timing"]):
        check_timing(f"timing[{number}]", entry, fields)
        known = repeats.setdefault((entry["workload"], entry["batch"]), len(entry["repeats_ns"]))
        require(known == len(entry["repeats_ns"]), f"timing[{number}].repeats_ns", f"must have {known} repeats")
    for number, replay in enumerate(fields.get("replay", ())):
        check_replay(f"replay[{number}]", replay, fields["strata"])


def check_items(item_ids: Any, strata: Any) -> None:
    """Like `check`, for the names of the items and the stratum of each."""
    validate(ITEMS, item_ids, "item_ids")
    validate(STRATA, strata, "strata")
    require(len(set(item_ids)) == len(item_ids), "item_ids", "must be different names")
    require(strata.keys() == set(item_ids), "strata", "must have the stratum of every item, and no others")


def check_settings(path: str, value: Any, depth: int = 0) -> None:
    """Numbers of any setting, also of those that the schema does not name, are finite and fit into 64 bits."""
    require(depth <= DEEPEST, path, f"must have at most {DEEPEST} levels")
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            check_settings(join(path, name), inner, depth + 1)
    elif isinstance(value, int):
        require(abs(value) < 2**63, path, "must be an integer below 2^63")
    elif isinstance(value, float):
        require(math.isfinite(value), path, "must be a finite number")


def check_complete(fields: Mapping[str, Any]) -> None:
    """What every finished run has."""
    require(bool(fields["scores"]), "scores", "must have a metric")
    require(bool(fields["item_ids"]), "item_ids", "must have an item")
    if not fields["config"]["paradigm"]["_target_"].startswith("tasks."):
        for part, names in (("budgets", TRAINED), ("provenance", ("training", "curve"))):
            for name in names:
                require(name in fields[part], f"{part}.{name}", "field required")


def check_score(path: str, score: Mapping[str, Any], items: int) -> None:
    if "items" not in score:
        for name in ("value", "strata"):
            require(name in score, f"{path}.{name}", "field required without items")
        for name in ("statistics", "data"):
            require(name not in score, f"{path}.{name}", "not allowed without items")
    for name in ("items", "data", "statistics", "data_statistics"):
        if name in score:
            require(len(score[name]) == items, f"{path}.{name}", f"must have {items} entries, one for each item")
            if name.endswith("statistics"):
                require(len(set(map(len, score[name]))) <= 1, f"{path}.{name}", "must have entries of one length")


def check_likelihood(law: Mapping[str, Any], strata: Mapping[str, str]) -> None:
    require(strata.keys() >= set(law["item_ids"]), "likelihood.item_ids", "must be among the items")
    check_law("likelihood", law, len(law["item_ids"]))
    if (own := law.get("own")) is not None:
        check_law("likelihood.own", own, len(own["nats"]))
    if (found := law.get("exposure")) is not None:
        require(len(found["own"]) == len(found["data"]), "likelihood.exposure.data", "must be as long as own")


def check_law(path: str, law: Mapping[str, Any], texts: int) -> None:
    for name in ("nats", "tokens", "law_nats", "exact", "se", "bytes", "apart_nats"):
        require(law.get(name) is None or len(law[name]) == texts, f"{path}.{name}", f"must have {texts} entries")


def check_trace(trace: Mapping[str, Any], strata: Mapping[str, str]) -> None:
    texts = len(trace["items"])
    require(strata.keys() >= set(trace["items"]), "trace.items", "must be among the items")
    for name in ("calls", "nfe", "positions", "useful_tokens", "filled", "settled"):
        require(len(trace.get(name, trace["items"])) == texts, f"trace.{name}", f"must have {texts} entries")
    rows = zip(trace["calls"], trace["filled"], trace["settled"], trace["useful_tokens"], strict=True)
    for number, (calls, filled, settled, useful) in enumerate(rows):
        require(len(filled) == len(settled), f"trace.settled[{number}]", f"must have {len(filled)} entries")
        require(max((*filled, *settled), default=0) <= calls, f"trace.calls[{number}]", "must not be below any pass")
        require(useful <= len(filled), f"trace.useful_tokens[{number}]", f"must be at most {len(filled)}")


def check_timing(path: str, entry: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    passes, items, trace = len(entry["repeats_ns"][0]), len(fields["item_ids"]), fields["trace"]
    require(set(map(len, entry["repeats_ns"])) == {passes}, f"{path}.repeats_ns", "must have as many passes each")
    require(len(entry.get("work", entry["repeats_ns"][0])) == passes, f"{path}.work", f"must have {passes} entries")
    require(entry["first"] < items, f"{path}.first", f"must be below {items}, the number of items")
    require(len(entry.get("items", ())) in (0, entry["batch"]), f"{path}.items", f"must be {entry['batch']} numbers")
    require(max(entry.get("items", ()), default=0) < items, f"{path}.items", f"must be below {items}")
    if entry["workload"] == "natural" and entry["batch"] == 1:
        traced = trace["settled"][entry["first"] :][:1] if trace is not None else []
        settled = entry["settled"] if "settled" in entry else traced[0][: entry["useful_tokens"]] if traced else None
        known = settled is not None or trace is None
        require(known, f"{path}.settled", "field required where the text is not traced")
        length = len(settled or ()) == entry["useful_tokens"] or (settled is None)
        require(length, f"{path}.settled", f"must have {entry['useful_tokens']} entries, one for each useful token")
        require(max(settled or (), default=0) <= passes, f"{path}.settled", f"must be at most {passes}, the passes")


def check_replay(path: str, replay: Mapping[str, Any], strata: Mapping[str, str]) -> None:
    require(replay["item"] in strata, f"{path}.item", "must be among the items")
    for number, call in enumerate(replay["calls"]):
        for name in ("wrote", "likeliest"):
            far = max((hole for hole, _ in call[name]), default=-1) >= len(replay["start"])
            require(not far, f"{path}.calls[{number}].{name}", f"must be of {len(replay['start'])} positions")
        far = max((max(pair) for pair in call.get("moved", ())), default=-1) >= len(replay["start"])
        require(not far, f"{path}.calls[{number}].moved", f"must be of {len(replay['start'])} positions")


def validate(adapter: TypeAdapter[Any], value: Any, path: str = "") -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        require(False, reduce(join, first["loc"], path), f"{first['msg'][0].lower()}{first['msg'][1:]}")


def join(path: str, step: str | int) -> str:
    """The path of what stands inside; a name that a file brings is shortened, and quoted where it is no plain one."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    name = step if re.fullmatch(r"\w+", step) else ascii(step)
    return f"{path}.{name[:LONGEST]}".removeprefix(".")


def require(holds: bool, path: str, what: str) -> None:
    if not holds:
        raise ValueError(f"field {path}: {what}")


def json_schema() -> dict[str, Any]:
    """The schema as JSON Schema, for other programs."""
    of_pydantic = TypeAdapter(Complete).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **of_pydantic, "title": "Record"}
