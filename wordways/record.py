"""One JSON file a cell: everything measured, nothing rounded, written whole or not at all."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

SCHEMA = 1
IDENTITY = ("paradigm", "task", "backbone", "train", "seed", "measure", "device", "dtype")
FIELDS = {
    "schema", "cell", "status", "reason", "config", "provenance", "budgets", "scores", "item_ids", "strata",
    "likelihood", "timing", "trace", "samples",
}  # fmt: skip


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
    schema: int = SCHEMA

    def groups(self) -> list[str]:
        """The names of the strata in the order of the items."""
        return list(dict.fromkeys(self.strata[item] for item in self.item_ids))


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces. Raises ValueError on NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """16 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def cell_id(config: Mapping[str, Any]) -> str:
    """What a cell is, and nothing else: where files lie and how progress is shown stay out."""
    return digest({"schema": SCHEMA} | {name: config[name] for name in IDENTITY})


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


def write_record(results: Path, record: Record) -> Path:
    path = results / "cells" / f"{record.cell}.json"
    write_atomically(path, canonical(vars(record)) + "\n")
    return path


def read_record(path: Path) -> Record:
    """Raises ValueError, saying what is wrong, where the file is not a whole record of this schema."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name}: not readable as JSON ({error})") from None
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        found = fields.get("schema") if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(f"{path.name}: schema {found!r}, this version reads schema {SCHEMA}")
    missing = FIELDS - fields.keys()
    if missing:
        raise ValueError(f"{path.name}: lacks {', '.join(sorted(missing))}")
    return Record(**{name: fields[name] for name in FIELDS})


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a value")


def read_records(results: Path) -> tuple[list[Record], list[str]]:
    """All whole records of a results folder in a fixed order, and a line for each file that is not one."""
    records, refused = [], []
    for path in sorted((results / "cells").glob("*.json")):
        try:
            records.append(read_record(path))
        except ValueError as error:
            refused.append(str(error))
    return records, refused


def valid_record(results: Path, cell: str) -> Record | None:
    try:
        return read_record(results / "cells" / f"{cell}.json")
    except ValueError:
        return None


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


UMASK = current_umask()
