"""Corpora: files of a local folder or a published data set, read from disk as needed.

Each split is an Arrow table that `datasets` maps into memory, so that a corpus may exceed the memory. Errors in the
data are ValueErrors of one line that names the option, its value and the error.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from tasks.base import Example, Setting, Split, Task, Theory
from tasks.files import ADVICE, first_cause, one_line, quiet

pc: Any = pyarrow.compute  # creates its functions at import, which no type checker sees
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
LEAST_PIECES, MOST_PIECES = 300, 1_000_000
ROWS = 1000  # rows that are read at a time


class RealText(Task):
    """The shared part of tasks on human text: the data distribution is unknown, and metrics compare with references.

    longest: characters of a text, for attention over a long one takes gigabytes. Training and validation leave rows
    with a longer one out, which `notes` says; a test set that has one is refused. None where no text needs a limit.
    """

    shareable = False  # licences differ: records keep scores and outputs but no data
    hashed = frozenset({"data", "longest"})
    longest: int | None = None

    @abstractmethod
    def load(self, split: Split) -> Any:
        """The split as a `datasets.Dataset` whose columns contain texts."""

    @cached_property
    def tables(self) -> dict[Split, Any]:
        return {split: kept for split, (kept, _) in self.fitting.items()}

    @cached_property
    def fitting(self) -> dict[Split, tuple[Any, int]]:
        """The table of every split without rows that have too long a text, and the number of these."""
        return {split: fitting(self.load(split), split, self.longest) for split in self.splits}

    def notes(self) -> Sequence[str]:
        return [
            f"task.longest={self.longest}: {count:,} of {count + len(kept):,} rows of {split} have a text of more "
            "characters and are left out"
            for split, (kept, count) in self.fitting.items()
            if count
        ]

    def rows(self, split: Split, first: int = 0) -> Iterator[tuple[Any, ...]]:
        """The rows of the split, in order, from number `first` on; none of a split that the data set does not have."""
        if split not in self.splits:
            return
        table = self.tables[split]
        for batch in table.select(range(first, len(table))).iter(ROWS):
            yield from zip(*batch.values(), strict=True)

    def score(self, example: Example, text: str) -> Mapping[str, float | None]:
        against = {True: example.demands, False: example.references}
        return {m.name: m.item(text, against[m.of_demands]) for m in self.metrics if not m.of_sets}

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        return None

    def data_hash(self) -> str:
        return self.hashes[1]

    def training_hash(self) -> str:
        return self.hashes[0]

    @cached_property
    def hashes(self) -> tuple[str, str]:
        """SHA-256 over the rows that training depends on (train and valid), and over all rows; each is read once."""
        digest, found = hashlib.sha256(), []
        for split in SPLITS:
            for row in self.rows(split):
                digest.update("\t".join(text if isinstance(text, str) else "\v".join(text) for text in row).encode())
                digest.update(b"\n")
            found.append(digest.hexdigest()[:16])
        return found[1], found[2]


def fitting(table: Any, split: Split, longest: int | None) -> tuple[Any, int]:
    """The rows whose texts have at most `longest` characters, and the number of others.

    Raises ValueError where a test row is among the others, or no row is left.
    """
    if longest is None:
        return table, 0
    most = np.zeros(len(table), dtype=np.int64)  # characters of a row's longest text
    for name in table.column_names:
        for first, chunk in enumerated(table.data.column(name)):
            several = pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type)
            rows = pc.list_parent_indices(chunk) if several else range(len(chunk))
            np.maximum.at(most, np.asarray(rows) + first - 1, pc.utf8_length(chunk.flatten() if several else chunk))
    long = most > longest
    if split == "test" and long.any():
        row = int(long.argmax())
        raise ValueError(
            f"longest={longest}: row {row + 1} of test has a text of {most[row]:,} characters, and no test row is left "
            "out; raise it, or shorten the text"
        )
    if long.all():
        raise ValueError(f"longest={longest}: every row of {split} has a text of more characters; raise it")
    return (table.select(np.flatnonzero(~long)) if long.any() else table), int(long.sum())


class EvaluationOnly(RealText):
    """The shared part of tasks whose data set has test examples alone: for checkpoints that were trained elsewhere."""

    generated = False
    not_for_training = frozenset[str]()
    splits = ("test",)

    def vocabulary(self) -> int:
        return LEAST_PIECES

    def texts(self) -> Iterable[str]:
        """Raises ValueError: BPE pieces are never learned from test texts."""
        raise ValueError(f"task={type(self).__name__}: has no training texts; use it with backbone=pretrained")


def check_pieces(pieces: int) -> None:
    if pieces < LEAST_PIECES:
        raise ValueError(f"pieces={pieces}: must be at least {LEAST_PIECES}, to represent every byte")
    if pieces > MOST_PIECES:
        raise ValueError(f"pieces={pieces}: must be at most {MOST_PIECES:,}")


def published(name: str, revision: str | None, split: str, subset: str | None = None) -> Any:
    """A split of a data set on the Hugging Face hub. Raises ValueError if it cannot be loaded."""
    import datasets

    quiet()
    try:
        return datasets.load_dataset(name, subset, revision=revision, split=split)
    except Exception as error:
        raise ValueError(f"name={name}: cannot be loaded ({one_line(first_cause(error))}); {ADVICE}") from None


def together(rows: Iterable[tuple[Any, str | Sequence[str]]]) -> dict[Any, tuple[str, ...]]:
    """All texts of every meaning, in the order of the first row of each, wherever in the split its other rows stand.

    rows: a meaning, which is a text or several, and one or more texts that express it.
    """
    found: dict[Any, list[str]] = {}
    for meaning, texts in rows:
        found.setdefault(meaning if isinstance(meaning, str) else tuple(meaning), []).extend(one_or_more(texts))
    return {meaning: tuple(texts) for meaning, texts in found.items()}


def one_or_more(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def home(data: str, called: str) -> Path:
    """The folder of a data set: the one of its name inside `data` if there is one, else `data` itself."""
    inner = Path(data) / called
    return inner if inner.is_dir() else Path(data)


def find(folder: Path, called: str, *names: str) -> Path:
    """The first of these files that the folder contains. Raises ValueError, which names the other possible folder."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    elsewhere = "" if folder.name == called else f", nor a folder {called} with it"
    raise ValueError(f"data={folder}: contains no {' or '.join(names)}{elsewhere}")


def side_by_side(columns: Mapping[str, Any], said: str) -> Any:
    """Parallel files of lines as the columns of one table. Raises ValueError if their numbers of lines differ."""
    import datasets

    counts = {name: len(table) for name, table in columns.items()}
    if len(set(counts.values())) > 1 or not all(counts.values()):
        found = " and ".join(f"{count} {name}" for name, count in counts.items())
        raise ValueError(f"{said} has {found} lines; they must be equally many")
    named = [table.rename_column("text", name) for name, table in columns.items()]
    return datasets.concatenate_datasets(named, axis=1)


def checked(table: Any, columns: Mapping[str, str], said: str, may_be_blank: Collection[str] = ()) -> Any:
    """The table's columns under new names. Raises ValueError unless every row has a text, or texts.

    columns: the table's names, by the new ones.  said: the option and its value, for the message.  may_be_blank: new
    names of columns whose texts may be empty.
    """
    for name in columns.values():
        if name not in table.column_names:
            raise ValueError(f"{said}: has no column {name}; it has {', '.join(table.column_names)}")
    if not len(table):
        raise ValueError(f"{said}: contains no text")
    kept = table.select_columns(list(columns.values())).rename_columns({b: a for a, b in columns.items() if a != b})
    for name in columns:
        for number, chunk in enumerated(kept.data.column(name)):
            try:
                chunk.validate(full=True)
            except pa.ArrowInvalid as error:
                raise ValueError(f"{said}: column {columns[name]} cannot be read ({error})") from None
            check_chunk(chunk, number, columns[name], said, name in may_be_blank)
    return kept.select_columns(list(columns))


def enumerated(column: pa.ChunkedArray) -> Iterator[tuple[int, pa.Array]]:
    """The chunks of a column, each with the number of its first row, counted from 1."""
    number = 1
    for chunk in column.chunks:
        yield number, chunk
        number += len(chunk)


def check_chunk(chunk: pa.Array, first: int, column: str, said: str, may_be_blank: bool) -> None:
    texts, kind = chunk, chunk.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        counts = pc.fill_null(pc.list_value_length(chunk), 0)
        if pc.min(counts).as_py() == 0:
            raise ValueError(f"{said}: row {first + pc.index(counts, 0).as_py()} has no {column}")
        texts, kind = chunk.flatten(), kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise ValueError(f"{said}: column {column} contains {kind}, not text")
    absent = pc.is_null(texts) if may_be_blank else pc.equal(pc.utf8_trim_whitespace(texts), "")
    blank = pc.fill_null(absent, True)
    place = pc.index(blank, True).as_py()
    if place >= 0:
        exactly = f"row {first + place}" if texts is chunk else "a row"
        raise ValueError(f"{said}: {exactly} has no {column}")
