"""One JSON file a cell: everything measured, nothing rounded, written whole or not at all."""

import hashlib
import io
import json
import lzma
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from wordways.names import public, renamed, schema_1

SCHEMA = 2
ARCHIVE = "cells.tar.xz"
IDENTITY = ("paradigm", "task", "backbone", "train", "seed", "measure", "device", "dtype")
FIELDS = {
    "schema", "cell", "status", "reason", "config", "provenance", "budgets", "scores", "item_ids", "strata",
    "likelihood", "timing", "trace", "samples",
}  # fmt: skip
OPTIONAL = {"aliases", "instances", "replay"}
SHARED = (("item_ids", "likelihood"), ("strata", "timing"))  # the longest fields, and what follows them in a file
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Record:
    """A cell as it is on disk; results/README.md describes every field."""

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
        """What each of these items was made from; empty where no two share it."""
        if not self.instances:
            return []
        found = [self.instances.get(self.item_ids[place], "") for place in places]
        return found if len(set(found)) < len(found) and "" not in found else []

    @property
    def places(self) -> Mapping[str, list[int]]:
        """Where in item_ids each stratum's items stand, strata in the order of the items."""
        return places_of(Same(self.item_ids, self.strata))

    def groups(self) -> list[str]:
        return list(self.places)

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """What was found out about this record so far: it never changes, and a copy with a change starts afresh."""
        return {}


@dataclass(frozen=True, eq=False)
class Same:
    """Items and their strata, which many records share: equal where they are the very same objects."""

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
    """A function of a record, evaluated once for each record and arguments, however many tables ask."""

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
    """A hash of what a cell is, and of nothing else: where files lie and how progress is shown stay out.

    Schema 1 named classes by their files.
    """
    identity = {name: config[name] for name in IDENTITY}
    return digest({"schema": schema} | renamed(identity, schema_1 if schema == 1 else public))


def write_atomically(path: Path, content: str | bytes) -> None:
    """Either the old file or the whole new one is there, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~UMASK)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def fields_of(record: Record) -> dict[str, Any]:
    """As they are written: an optional field only where there is something in it."""
    return {name: getattr(record, name) for name in FIELDS | {n for n in OPTIONAL if getattr(record, n)}}


def write_record(results: Path, record: Record) -> Path:
    path = results / "cells" / f"{record.cell}.json"
    write_atomically(path, canonical(fields_of(record)) + "\n")
    return path


def read_record(path: Path) -> Record:
    """Raises ValueError, saying what is wrong, where the file is not a whole record of this schema."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name}: not readable ({error.strerror})") from None
    return parse_record(path.name, content)


def parse_record(name: str, content: bytes) -> Record:
    try:
        fields = parse_shared(content.decode())
    except ValueError as error:
        raise ValueError(f"{name}: not readable as JSON ({error})") from None
    if not isinstance(fields, dict) or fields.get("schema") not in (1, SCHEMA):
        found = fields.get("schema") if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(f"{name}: schema {found!r}, this version reads schema {SCHEMA} and 1")
    missing = FIELDS - fields.keys()
    if missing:
        raise ValueError(f"{name}: lacks {', '.join(sorted(missing))}")
    for part in ("paradigm", "task"):
        node = fields["config"].get(part) if isinstance(fields["config"], dict) else None
        if not isinstance(node, dict) or "." not in str(node.get("_target_")):
            raise ValueError(f"{name}: config.{part} names no class")
    if fields["schema"] == 1:
        fields = upgraded(name, fields)
    return Record(**{name: fields[name] for name in FIELDS | fields.keys() & OPTIONAL})


def upgraded(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 1 as schema 2 has it: classes by their public names, and the name that follows from these."""
    config = renamed(fields["config"], public)
    if lacking := [part for part in IDENTITY if part not in config]:
        raise ValueError(f"{name}: config lacks {', '.join(lacking)}")
    return {**fields, "schema": SCHEMA, "config": config, "cell": cell_id(config), "aliases": [fields["cell"]]}


def parse_shared(text: str) -> Any:
    """JSON in which the cells of a sweep say the same at length, which items were scored: read once, then shared."""
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
    return parse(text)  # not written by us: nothing is where it was looked for


def parse(text: str) -> Any:
    return json.loads(text, parse_constant=refuse_constant)


parse_once = lru_cache(maxsize=64)(parse)


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a value")


def holds_records(results: Path) -> bool:
    return (results / "cells").is_dir() or (results / ARCHIVE).is_file()


def read_records(results: Path) -> tuple[list[Record], list[str]]:
    """All whole records of a results folder in a fixed order, and a line for each file that is not one.

    A record stands in cells/ or in the archive; where in both, that in cells/ counts.
    """
    loose = {path.name for path in (results / "cells").glob("*.json")}
    records: dict[str, Record] = {}
    refused = []
    for name in sorted(loose | archived(results).keys()):
        try:
            record = record_named(results, name)
        except ValueError as error:
            refused.append(str(error))
        else:  # of a cell that was run again behind its record of schema 1, what stands under its own name
            if record.cell not in records or name == f"{record.cell}.json":
                records[record.cell] = record
    return list(records.values()), refused


def valid_record(results: Path, *names: str) -> Record | None:
    """The first whole record under any of a cell's names."""
    for name in names:
        try:
            return record_named(results, f"{name}.json")
        except ValueError:
            continue
    return None


def record_named(results: Path, name: str) -> Record:
    path = results / "cells" / name
    if not path.exists() and name in archived(results):
        return parse_record(name, archived(results)[name])
    return read_record(path)


def archived(results: Path) -> Mapping[str, bytes]:
    """Files of cells.tar.xz by name: many records alike, a hundredth of their size. Raises ValueError if damaged."""
    path = results / ARCHIVE
    return unpacked(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=1)
def unpacked(path: Path, changed_ns: int) -> Mapping[str, bytes]:
    try:
        with tarfile.open(path) as archive:
            files = ((member, archive.extractfile(member)) for member in archive)
            return {Path(member.name).name: file.read() for member, file in files if file is not None}
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise ValueError(f"{path}: not a whole archive ({error})") from None


def pack(results: Path) -> Path:
    """Moves the records of cells/ into the archive; the same records give the same bytes."""
    found = {**archived(results)} | {path.name: path.read_bytes() for path in (results / "cells").glob("*.json")}
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


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


UMASK = current_umask()
