"""Files of text as tables: lines end where `wc -l` counts them, no value is guessed, and the cache goes by content.

A table is converted once, into an Arrow file that is mapped into memory. Its name is a hash of the file's bytes, so
that a file that was replaced is read anew, whatever its time of change says.
"""

import codecs
import csv
import gzip
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

Kind = Literal["text", "csv", "json"]
Value = str | list[str] | None
READER = 1  # counted up when the same bytes give another table, so that older ones are not taken for it
PIECE = 1 << 22  # characters that are converted at a time
PACKED = b"\x1f\x8b"  # the first bytes of a gzip file
POINTERS = {
    b"version https://git-lfs.github.com/spec/": "a Git-LFS pointer and not the text itself; git lfs pull fetches it",
    b"/annex/objects/": "a git-annex pointer and not the text itself; git annex get fetches it",
}
ADVICE = "give a folder through task.data"


def read_file(kind: Kind, option: str, path: Path | str, columns: Sequence[str] = ()) -> Any:
    """The `datasets.Dataset` of a file or URL, plain or packed by gzip.

    kind: text (one column, text, of lines), csv (the columns that its first line names) or json (an object a line, of
    which `columns` are kept, each a text or a list of texts).  option: what named the file, for messages.
    Raises ValueError, with one line, where the file cannot be read, contains no row or lacks a column.
    """
    import datasets
    from datasets import config

    quiet()
    try:
        url = isinstance(path, str) and "://" in path
        file = Path(str(datasets.DownloadManager().download(path)) if url else path)
        name = digest([READER, kind, list(columns), content_of(file)])
        kept = Path(config.HF_DATASETS_CACHE) / "wordways" / f"{name}.arrow"
        if not kept.is_file():
            convert(kind, file, columns, kept)
        return datasets.Dataset.from_file(str(kept))
    except UnfitError as error:
        raise ValueError(f"{option}={path}: {error}") from None
    except Exception as error:  # of the file system, the network, the cache, the text's form
        advice = f"; {ADVICE}" if option == "name" else ""
        raise ValueError(f"{option}={path}: cannot be read ({one_line(first_cause(error))}){advice}") from None


class UnfitError(ValueError):
    """A file that can be read but lacks what is asked of it; what it lacks follows the file's name in a sentence."""


def content_of(file: Path) -> str:
    """The SHA-256 of a file's bytes. Raises UnfitError where they only point to the text."""
    with file.open("rb") as raw:
        head = raw.read(max(map(len, POINTERS)))
        for start, what in POINTERS.items():
            if head.startswith(start):
                raise UnfitError(f"is {what}")
        raw.seek(0)
        return hashlib.file_digest(raw, "sha256").hexdigest()


def digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def lines(path: Path, with_ends: bool = False) -> Iterator[str]:
    r"""The lines of a UTF-8 file with or without their ends, which are "\n" or "\r\n" and nothing else.

    A byte-order mark is no part of the text. Raises ValueError where a line is not UTF-8.
    """
    with path.open("rb") as raw:
        packed = raw.read(len(PACKED)) == PACKED
    with gzip.open(path, "rb") if packed else path.open("rb") as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if line.endswith(b"\n") and not with_ends:
                line = line[:-1].removesuffix(b"\r")
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise ValueError(f"line {number} is not UTF-8: {error.reason} at byte {error.start}") from None


def rows_of_text(path: Path) -> Iterator[Sequence[str]]:
    """The name of the only column, then every line."""
    yield ("text",)
    for line in lines(path):
        yield (line,)


def rows_of_csv(path: Path) -> Iterator[Sequence[str]]:
    """The names of the columns, then every row as RFC 4180 has it; blank lines between rows are no rows."""
    found = csv.reader(lines(path, with_ends=True), strict=True)
    names: list[str] = []
    for row in found:
        if row and names and len(row) != len(names):
            raise ValueError(f"the row that ends in line {found.line_num} has {len(row)} values, not {len(names)}")
        if row:
            names = names or row
            yield row


def rows_of_json(path: Path, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
    """The columns, then their values in every row; None where a row has none."""
    many: list[bool] = []  # whether a row has several texts in each column, as the first one says
    for number, line in enumerate(lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number} is not JSON: {error.msg} at character {error.pos + 1}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no JSON object")
        if not many:
            if lacking := [name for name in columns if name not in row]:
                raise UnfitError(f"has no column {lacking[0]}; it has {', '.join(row)}")
            yield columns
            many = [isinstance(row[name], list) for name in columns]
        for name, several in zip(columns, many, strict=True):
            if not fits(row.get(name), several):
                raise ValueError(f"{name} of line {number} is no {'list of texts' if several else 'text'}")
        yield [row.get(name) for name in columns]


def fits(value: Any, several: bool) -> bool:
    """Whether a value is a text, or several of them; an absent one is, and is found later."""
    texts = value if several else [value]
    return value is None or (isinstance(texts, list) and all(isinstance(text, str) for text in texts))


def convert(kind: Kind, path: Path, columns: Sequence[str], kept: Path) -> None:
    """Writes the table of a file. Raises UnfitError where it has no row; leaves nothing half-written."""
    rows: Iterator[Sequence[Value]]
    rows = rows_of_json(path, columns) if kind == "json" else rows_of_csv(path) if kind == "csv" else rows_of_text(path)
    names = next(rows, None)
    first = None if names is None else next(rows, None)
    if names is None or first is None:
        raise UnfitError("contains no text")
    kinds = [pa.list_(pa.string()) if isinstance(value, list) else pa.string() for value in first]
    schema = pa.schema(list(zip(map(str, names), kinds, strict=True)))
    kept.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=kept.parent)
    try:
        with os.fdopen(handle, "wb") as file, pa.ipc.new_stream(file, schema) as table:
            for piece in pieces(first, rows):
                arrays = [pa.array(column, type) for column, type in zip(zip(*piece, strict=True), kinds, strict=True)]
                table.write_batch(pa.record_batch(arrays, schema=schema))
        os.replace(made, kept)
    finally:
        Path(made).unlink(missing_ok=True)


def pieces(first: Sequence[Value], rows: Iterator[Sequence[Value]]) -> Iterator[list[Sequence[Value]]]:
    """The rows in lists of about PIECE characters."""
    found, size = [first], 0
    for row in rows:
        if size > PIECE:
            yield found
            found, size = [], 0
        found.append(row)
        size += sum(len(value or "") for value in row)
    yield found


def quiet() -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(logging.CRITICAL)  # a failure is reported once, by the caller
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def first_cause(error: BaseException) -> BaseException:
    """The innermost cause of an error, which layered libraries wrap several times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
