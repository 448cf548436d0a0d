"""Records: one JSON file per cell with everything measured, unrounded and written atomically."""

import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from wordways.files import write_atomically
from wordways.names import public, renamed, schema_1

SCHEMA = 2
ARCHIVE = "cells.tar.xz"
IDENTITY = ("paradigm", "task", "backbone", "train", "seed", "measure", "device", "dtype")
FIELDS = {
    "schema", "cell", "status", "reason", "config", "provenance", "budgets", "scores", "item_ids", "strata",
    "likelihood", "timing", "trace", "samples",
}  # fmt: skip
OPTIONAL = {"aliases", "instances", "replay"}
SHARED = (("item_ids", "likelihood"), ("strata", "timing"))  # the longest fields, each with the next one in a file
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

    def shared_instances(self, places: Iterable[int]) -> list[str]:
        """The instance behind each of these items; empty where no two items share an instance."""
        if not self.instances:
            return []
        found = [self.instances.get(self.item_ids[place], "") for place in places]
        return found if len(set(found)) < len(found) and "" not in found else []

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
    path = results / "cells" / f"{record.cell}.json"
    write_atomically(path, canonical(fields_of(record)) + "\n")
    return path


def read_record(path: Path) -> Record:
    """Reads one record. Raises ValueError with the reason where the file is not a complete record."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name}: not readable ({error.strerror})") from None
    return parse_record(path.name, content)


def parse_record(name: str, content: bytes) -> Record:
    """A record from the content of the file `name`. Raises ValueError where it is not a complete record."""
    try:
        fields = parse_shared(content.decode())
    except ValueError as error:
        raise ValueError(f"{name}: not readable as JSON ({error})") from None
    if not isinstance(fields, dict) or fields.get("schema") not in (1, SCHEMA):
        found = fields.get("schema") if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(f"{name}: schema {found!r}; this version reads schemas 1 and {SCHEMA}")
    missing = FIELDS - fields.keys()
    if missing:
        raise ValueError(f"{name}: lacks {', '.join(sorted(missing))}")
    for part in ("paradigm", "task"):
        node = fields["config"].get(part) if isinstance(fields["config"], dict) else None
        if not isinstance(node, dict) or "." not in str(node.get("_target_")):
            raise ValueError(f"{name}: config.{part} names no class")
    if fields["schema"] == 1:
        fields = upgraded(name, fields)
    before = isinstance(fields["provenance"], dict) and "processor" not in fields["provenance"]
    if before and isinstance(fields["scores"], dict):
        fields = {**fields, "scores": without_claimed_references(fields["scores"])}
    return Record(**{name: fields[name] for name in FIELDS | fields.keys() & OPTIONAL})


def upgraded(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Upgrades a record of schema 1: public class names, the cell name derived from them, the old one as alias."""
    config = renamed(fields["config"], public)
    if lacking := [part for part in IDENTITY if part not in config]:
        raise ValueError(f"{name}: config lacks {', '.join(lacking)}")
    return {**fields, "schema": SCHEMA, "config": config, "cell": cell_id(config), "aliases": [fields["cell"]]}


def without_claimed_references(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Signatures of records that do not name their processor, as none did when BLEU and chrF signed a made-up set.

    They claim one reference a text, whatever was scored; how many there were is unknown.
    """
    claimed, unknown = "nrefs:1|", "nrefs:unknown|"
    return {
        metric: {**entry, "signature": str(entry["signature"]).replace(claimed, unknown)}
        if isinstance(entry, dict) and "signature" in entry
        else entry
        for metric, entry in scores.items()
    }


def parse_shared(text: str) -> Any:
    """Parses a record's JSON; the long fields that are equal in all cells of a sweep are parsed once and shared."""
    parts, rest, place = {}, [], 0
    for name, following in SHARED:
        start = text.find(f'"{name}":', place) + len(name) + 3
        end = text.find(f',"{following}":', start)
        if start > place + len(name) + 2 and end > start:
            parts[name] = text[start:end]
            rest += [text[place:start], f'"{len(parts)} shared"']
            place = end
    marks = [f"{number} shared" for number in range(1, len(parts) + 1)]
    try:
        fields = parse("".join([*rest, text[place:]]))
        if isinstance(fields, dict) and [fields.get(name) for name in parts] == marks:
            return fields | {name: parse_once(part) for name, part in parts.items()}
    except ValueError:
        pass
    return parse(text)  # the file has another layout than write_record produces


def parse(text: str) -> Any:
    """JSON without NaN and infinities. Raises ValueError where there are any."""
    return json.loads(text, parse_constant=refuse_constant)


parse_once = lru_cache(maxsize=64)(parse)


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def holds_records(results: Path) -> bool:
    """Whether a folder has loose or packed records."""
    return (results / "cells").is_dir() or (results / ARCHIVE).is_file()


def read_records(results: Path) -> tuple[list[Record], list[str]]:
    """All complete records of a results folder in a fixed order, and one line for each file that is not one.

    A file in cells/ takes precedence over a packed one of the same name.
    """
    loose = {path.name for path in (results / "cells").glob("*.json")}
    records: dict[str, Record] = {}
    refused = []
    for name in sorted(loose | archived(results).keys()):
        try:
            record = record_named(results, name)
        except ValueError as error:
            refused.append(str(error))
        else:  # where a cell also has a record of schema 1, the one under its present name takes precedence
            if record.cell not in records or name == f"{record.cell}.json":
                records[record.cell] = record
    return list(records.values()), refused


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
    if not path.exists() and name in archived(results):
        return parse_record(name, archived(results)[name])
    return read_record(path)


def archived(results: Path) -> Mapping[str, bytes]:
    """The packed records of cells.tar.xz by file name. Raises ValueError where the archive is damaged."""
    path = results / ARCHIVE
    return unpacked(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=1)
def unpacked(path: Path, changed_ns: int) -> Mapping[str, bytes]:
    """The files of an archive; `changed_ns`, its time of modification, is part of the cache's key."""
    try:
        with tarfile.open(path) as archive:
            files = ((member, archive.extractfile(member)) for member in archive)
            return {Path(member.name).name: file.read() for member, file in files if file is not None}
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise ValueError(f"{path}: not a complete archive ({error})") from None


def pack(results: Path, without: Set[str] = frozenset()) -> Path:
    """Moves the records of cells/ into the archive, at about 1 % of their size, and drops the cells in `without`.

    Equal records give equal bytes.
    """
    kept = {name: content for name, content in archived(results).items() if name.removesuffix(".json") not in without}
    found = kept | {path.name: path.read_bytes() for path in (results / "cells").glob("*.json")}
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:xz", preset=9) as archive:
        for name, content in sorted(found.items(), key=lambda entry: (len(entry[1]) // 100_000, entry[0])):
            member = tarfile.TarInfo(f"cells/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    write_atomically(results / ARCHIVE, whole.getvalue())
    for name in found:
        (results / "cells" / name).unlink(missing_ok=True)
    return results / ARCHIVE
