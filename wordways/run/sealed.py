"""Files of a training that hold its key and their own checksum, so that damaged and foreign ones are found at reading.

The checksum is the SHA-256 of the file with zeros in its place. Older files have neither key nor checksum; only their
layout is checked.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from wordways.files import write_atomically
from wordways.record import canonical

ZEROS = "sha256:" + 64 * "0"
SEAL = re.compile(rb"sha256:[0-9a-f]{64}")
OURS = "wordways"  # the entry of a safetensors file's metadata; `log` before there were checksums
T = TypeVar("T")


class DamagedError(ValueError):
    """A file is not as it was written, or belongs to another training; the text is the reason."""


def write_sealed(path: Path, key: str, fields: Mapping[str, Any]) -> None:
    """Writes fields as JSON. Those whose texts might look like a checksum must come after `seal` in the alphabet."""
    write_atomically(path, with_seal(canonical(marked(key, fields)).encode()))


def read_sealed(path: Path, key: str, kind: type[T]) -> T:
    """The fields of a JSON file as an object of `kind`. Raises DamagedError."""
    content = read(path)
    fields = parse(content)
    check(content, fields, key)
    return built(fields, kind)


def write_tensors(path: Path, key: str, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> None:
    """Writes tensors as a safetensors file, and fields into its metadata."""
    metadata = {OURS: canonical(marked(key, fields))}
    write_atomically(path, with_seal(save(dict(tensors), metadata)))


def read_tensors(path: Path, key: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors file, on the CPU, and the fields in its metadata. Raises DamagedError."""
    content = read(path)
    try:
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    except (SafetensorError, ValueError, RecursionError) as error:
        raise DamagedError(f"it is damaged ({' '.join(str(error).split())[:100]})") from None
    fields = parse(metadata.get(OURS, metadata.get("log", "{}")))
    check(content, fields, key)
    return tensors, fields


def marked(key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, "training": key, "seal": ZEROS}


def built(fields: Mapping[str, Any], kind: type[T]) -> T:
    """An object of the fields that are not the seal's. Raises DamagedError where one is missing or of another type."""
    own = {name: value for name, value in fields.items() if name not in ("training", "seal")}
    try:
        return TypeAdapter(kind).validate_python(own)
    except ValidationError as error:
        first = error.errors()[0]
        raise DamagedError(f"it is damaged ({'.'.join(map(str, first['loc']))}: {first['msg'].lower()})") from None


def with_seal(content: bytes) -> bytes:
    """The content with its checksum in the place of the zeros."""
    return content.replace(ZEROS.encode(), seal_of(content), 1)


def seal_of(*parts: bytes | memoryview) -> bytes:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return f"sha256:{whole.hexdigest()}".encode()


def check(content: bytes, fields: Mapping[str, Any], key: str) -> None:
    """Raises DamagedError where the checksum is another, or the key, if there are any."""
    if "seal" not in fields:
        return
    found, view = SEAL.search(content), memoryview(content)
    if not found or seal_of(view[: found.start()], ZEROS.encode(), view[found.end() :]) != found[0]:
        raise DamagedError("it is damaged (its checksum does not match)")
    if fields.get("training") != key:
        raise DamagedError(f"it belongs to another training, {fields.get('training')}")


def read(path: Path) -> bytes:
    if not path.is_file():
        raise DamagedError("it is no file" if path.exists() else "it is missing")
    return path.read_bytes()


def parse(content: bytes | str) -> dict[str, Any]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"it is damaged ({error})") from None
    if not isinstance(fields, dict):
        raise DamagedError(f"it is damaged (it holds a {type(fields).__name__})")
    return fields


def sound(path: Path, reader: Callable[[Path], T]) -> T | None:
    """What a file holds; None where there is none, or it is damaged: it is then set aside, which one line says."""
    if not path.exists():
        return None
    try:
        return reader(path)
    except DamagedError as error:
        names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
        aside = next(name for name in names if not name.exists())
        os.replace(path, aside)
        line = f"wordways: {path}: {error}; it is now {aside.name}, and what it held is made again"
        print(line, file=sys.stderr, flush=True)
        return None
