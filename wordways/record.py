"""Records: one JSON file per cell with everything measured, unrounded and written atomically."""

import hashlib
import json
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from wordways.archive import ARCHIVE, DamagedError, archived, has_archive, packed
from wordways.files import write_atomically
from wordways.names import public, renamed, schema_1
from wordways.parsing import parse_shared
from wordways.schema import check, check_items

SCHEMA = 2
IDENTITY = ("paradigm", "task", "backbone", "train", "seed", "measure", "device", "dtype")
FIELDS = {
    "schema", "cell", "status", "reason", "config", "provenance", "budgets", "scores", "item_ids", "strata",
    "likelihood", "timing", "trace", "samples",
}  # fmt: skip
OPTIONAL = {"aliases", "instances", "replay"}
COPY = re.compile(r"[0-9a-f]{16}\.([0-9a-f]{8})\.json")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Record:
    """The record of one cell as stored on disk; results/README.md describes every field."""

    cell: str
    status: Literal["ok", "skipped", "failed"]
    reason: str
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    budgets: Mapping[str, Any]
    scores: Mapping[str, Any]
    item_ids: list[str]
    strata: Mapping[str, str]
    likelihood: Mapping[str, Any] | None
    timing: list[Mapping[str, Any]]
    trace: Mapping[str, Any] | None
    samples: list[Mapping[str, Any]]
    instances: Mapping[str, str] = field(default_factory=dict)
    replay: list[Mapping[str, Any]] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    schema: int = SCHEMA
    copy: str = ""  # tells files apart that hold the same cell, from several machines; a part of the file's name alone

    @property
    def name(self) -> str:
        """The name of its file, without the extension."""
        return f"{self.cell}.{self.copy}" if self.copy else self.cell

    def shared_instances(self, places: Iterable[int]) -> list[str]:
        """The instance behind each of these items; empty where no two items share an instance."""
        if not self.instances:
            return []
        found = [self.instances.get(self.item_ids[place], "") for place in places]
        return found if len(set(found)) < len(found) and "" not in found else []

    @property
    def is_timed(self) -> bool:
        """Whether it has timings, or was timed without any."""
        return bool(self.timing) or "timing" in self.provenance

    @property
    def is_baseline(self) -> bool:
        """Whether a rule of `tasks` made its texts, and no trained model."""
        return str(self.config["paradigm"]["_target_"]).startswith("tasks.")

    @property
    def places(self) -> Mapping[str, list[int]]:
        """The indices of each stratum's items in item_ids; strata are ordered by first occurrence."""
        return places_of(Same(self.item_ids, self.strata))

    def groups(self) -> list[str]:
        return list(self.places)

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """Cache of values derived from this immutable record; a modified copy starts with an empty one."""
        return {}


@dataclass(frozen=True, eq=False)
class Same:
    """Items and strata as a hashable key that compares by identity, because many records share the same objects."""

    item_ids: list[str]
    strata: Mapping[str, str]

    def __hash__(self) -> int:
        return hash((id(self.item_ids), id(self.strata)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.item_ids is other.item_ids and self.strata is other.strata


@lru_cache(maxsize=256)
def places_of(items: Same) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, item in enumerate(items.item_ids):
        found.setdefault(items.strata[item], []).append(place)
    return found


def remembered(function: F) -> F:
    """Caches a function of a record in that record, by its arguments, because many tables need the same value."""

    @wraps(function)
    def asked(record: Record, *args: Any, **named: Any) -> Any:
        key = (function, args, *sorted(named.items()))
        if key not in record.memory:
            record.memory[key] = function(record, *args, **named)
        return record.memory[key]

    return cast(F, asked)


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces. Raises ValueError on NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """16 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def cell_id(config: Mapping[str, Any], schema: int = SCHEMA) -> str:
    """A hash of what determines a cell's results; folders, progress and other settings of the run are excluded.

    Schema 1 named classes by their files.
    """
    identity = {name: config[name] for name in IDENTITY}
    return digest({"schema": schema} | renamed(identity, schema_1 if schema == 1 else public))


def fields_of(record: Record) -> dict[str, Any]:
    """The fields to be written; optional ones only where they are not empty."""
    return {name: getattr(record, name) for name in FIELDS | {n for n in OPTIONAL if getattr(record, n)}}


def write_record(results: Path, record: Record) -> Path:
    """Writes a record into the folder's cells/; returns its path."""
    path = results / "cells" / f"{record.name}.json"
    write_atomically(path, canonical(fields_of(record)) + "\n")
    return path


def read_record(path: Path) -> Record:
    """Reads one record. Raises ValueError with the reason where the file is not a complete record."""
    return parse_record(path.name, content_of(path))


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises DamagedError where it is not readable, or no regular file: a pipe may never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DamagedError(f"{shown(path.name)}: not readable (it is no regular file)")
        return path.read_bytes()
    except OSError as error:
        raise DamagedError(f"{shown(path.name)}: not readable ({error.strerror})") from None


def shown(name: str) -> str:
    """A file's name in a message of one line."""
    return name if name.isprintable() else ascii(name)


def parse_record(name: str, content: bytes) -> Record:
    """A record from the content of the file `name`. Raises ValueError where it is not a complete record."""
    name = shown(name)
    try:
        fields = parse_shared(content.decode())
    except ValueError as error:
        raise ValueError(f"{name}: not readable as JSON ({error})") from None
    if not isinstance(fields, dict) or fields.get("schema") not in (1, SCHEMA):
        found = fields.get("schema") if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(f"{name}: schema {ascii(found)[:40]}; this version reads schemas 1 and {SCHEMA}")
    missing = FIELDS - fields.keys()
    if missing:
        raise ValueError(f"{name}: lacks {', '.join(sorted(missing))}")
    try:
        checked_items(fields["item_ids"], fields["strata"])
        check(fields)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if fields["schema"] == 1:
        fields = upgraded(fields)
    if "processor" not in fields["provenance"]:
        fields = {**fields, "scores": without_claimed_references(fields["scores"])}
    known: dict[str, Any] = {field: fields[field] for field in FIELDS | fields.keys() & OPTIONAL}
    copy = COPY.fullmatch(name)
    return Record(**known, copy=copy[1] if copy else "")


def checked_items(item_ids: Any, strata: Any) -> None:
    """Raises ValueError as `check_items`; of items that many records share only once."""
    checked_once(Same(item_ids, strata))


@lru_cache(maxsize=256)
def checked_once(items: Same) -> None:
    check_items(items.item_ids, items.strata)


def upgraded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Upgrades a record of schema 1: public class names, the cell name derived from them, the old one as alias."""
    config = renamed(fields["config"], public)
    return {**fields, "schema": SCHEMA, "config": config, "cell": cell_id(config), "aliases": [fields["cell"]]}


def without_claimed_references(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Signatures of records that do not name their processor, as none did when BLEU and chrF signed a made-up set.

    They claim one reference a text, whatever was scored; how many there were is unknown.
    """
    claimed, unknown = "nrefs:1|", "nrefs:unknown|"
    return {
        metric: {**entry, "signature": entry["signature"].replace(claimed, unknown)} if "signature" in entry else entry
        for metric, entry in scores.items()
    }


def holds_records(results: Path) -> bool:
    """Whether a folder has loose or packed records."""
    return (results / "cells").is_dir() or has_archive(results)


def read_records(results: Path) -> tuple[list[Record], list[str]]:
    """All complete records of a results folder in a fixed order, and one line for each file that is not one.

    A file in cells/ takes precedence over a packed one of the same name, unless that comes from another machine: it is
    then a copy. Of a damaged archive the loose records remain.
    """
    refused: list[str] = []
    found: dict[str, bytes | Path] = {}
    for files in (archived, from_elsewhere, loose):
        try:
            found |= files(results)
        except DamagedError as error:
            refused.append(str(error))
    records: dict[str, Record] = {}
    refused = list(dict.fromkeys(refused))
    for name, content in sorted(found.items(), key=lambda entry: entry[0].removesuffix(".json")):
        try:
            record = read_record(content) if isinstance(content, Path) else parse_record(name, content)
        except ValueError as error:
            refused.append(str(error))
            continue
        if name.removesuffix(".json") not in (record.name, *record.aliases):
            refused.append(f"{shown(name)}: left out, because it holds the record of another name, {record.cell}")
        elif record.name not in records or name == f"{record.name}.json":
            # where a cell also has a record of schema 1, the one under its present name takes precedence
            records[record.name] = record
    return without_copies(records, refused)


def without_copies(records: Mapping[str, Record], refused: Sequence[str]) -> tuple[list[Record], list[str]]:
    """The records, but for those of another name that have the settings of one that is there; a line for each."""
    identities = {name: cell_id(record.config) for name, record in records.items()}
    copies = {name: own for name, own in identities.items() if own != records[name].cell and own in records}
    lines = [f"{name}.json: left out, because it has the settings of {own}.json" for name, own in copies.items()]
    return [record for name, record in records.items() if name not in copies], [*refused, *lines]


def valid_record(results: Path, *names: str) -> Record | None:
    """The first complete record under any of a cell's names; None if there is none."""
    for name in names:
        try:
            return record_named(results, f"{name}.json")
        except ValueError:
            continue
    return None


def record_named(results: Path, name: str) -> Record:
    """The record in the file `name`, loose or packed. Raises ValueError where it is not a complete record."""
    path = results / "cells" / name
    if not path.exists():
        for files in (archived, from_elsewhere):
            if name in (found := files(results)):
                return parse_record(name, found[name])
    return read_record(path)


def from_elsewhere(results: Path) -> Mapping[str, bytes]:
    """The packed records in whose place cells/ has one from another machine, by names of their own."""
    there = archived(results)
    found = {}
    for name in sorted(loose(results).keys() & there.keys()):
        try:
            packed_one, loose_one = parse_record(name, there[name]), read_record(results / "cells" / name)
        except ValueError:
            continue  # what is in cells/ is said to be no record; what is in the archive was to be replaced
        if machine_of(packed_one) != machine_of(loose_one):
            found[f"{copied(packed_one).name}.json"] = there[name]
    return found


def same_numbers(one: Record, other: Record) -> bool:
    """Whether two records of a cell hold the same measurement; one that is not timed says nothing beyond the other."""
    return one.scores == other.scores and one.item_ids == other.item_ids and one.timing in ([], other.timing)


def machine_of(record: Record) -> list[Any]:
    """What a record tells of the machine that it was made on."""
    return [record.provenance.get(name) for name in ("device", "processor", "threads")]


def copied(record: Record) -> Record:
    """The record as a copy, beside one of the same name from another machine: its file has a mark of its content."""
    return replace(record, copy=digest(fields_of(record))[:8])


def loose(results: Path) -> Mapping[str, Path]:
    """The files of cells/ by name. Raises DamagedError where they cannot be listed."""
    try:
        return {path.name: path for path in (results / "cells").iterdir() if path.suffix == ".json"}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DamagedError(f"{results / 'cells'}: not readable ({error.strerror})") from None


def pack(results: Path, without: Set[str] = frozenset()) -> Path:
    """Moves the records of cells/ into the archive, and drops the cells in `without`.

    Raises DamagedError where the archive is, or where a file is not readable: nothing is then changed.
    """
    there = {**archived(results), **from_elsewhere(results)}
    kept = {name: content for name, content in there.items() if name.removesuffix(".json") not in without}
    found = kept | {name: content_of(path) for name, path in loose(results).items()}
    write_atomically(results / ARCHIVE, packed(found))
    for name in found:
        (results / "cells" / name).unlink(missing_ok=True)
    return results / ARCHIVE
