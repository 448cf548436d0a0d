"""Running text: every example is a window on a corpus, found by its number, wherever it begins."""

import itertools
import random
import re
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from tasks.base import Alphabet, Example, Split
from tasks.corpus import (
    HUB_SPLITS,
    LEAST_PIECES,
    SPLITS,
    RealText,
    check_pieces,
    enumerated,
    find,
    home,
    pc,
    published,
    read_file,
)

Unit = Literal["word", "character"]
SHARES = {"train": (0.0, 0.9), "valid": (0.9, 0.95), "test": (0.95, 1.0)}  # of a file that comes without splits
TRIES = 1000


class Windows(RealText):
    """What tasks share whose examples are windows of `size` words, or characters, of running text.

    data: a folder with train.txt, valid.txt and test.txt, or with one txt file, whose first 90 % of lines are for
    training and the next 5 % for validation, or with such a folder under the set's name, wikitext-2 or tinyshakespeare;
    null loads `name` from the hub, or one file where `name` is an address of one. unit: what a text is made of, and
    with it the vocabulary: byte-pair `pieces` of words, or all characters.
    """

    generated = True
    not_for_training = frozenset[str]()

    def __init__(
        self, data: str | None, name: str, subset: str | None, revision: str | None, unit: Unit, pieces: int | None
    ):
        if (pieces is None) != (unit == "character"):
            raise ValueError(
                f"pieces={pieces}, unit={unit}: words need at least {LEAST_PIECES} pieces, characters null"
            )
        if pieces is not None:
            check_pieces(pieces)
        self.data, self.name, self.subset, self.revision = data, name, subset, revision
        self.unit, self.pieces = unit, pieces
        # its subset's name, without a version, or that of the folder its one file is published in
        self.corpus = re.sub(r"(-raw)?-v\d+$", "", subset) if subset else name.split("/")[-2:][0]

    @abstractmethod
    def example(self, split: Split, number: int) -> Example:
        """The example of that number."""

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        number = first
        while True:
            yield self.example(split, number)
            number += 1

    def load(self, split: Split) -> Any:
        if self.data is not None:
            folder = home(self.data, self.corpus)
            lone = sorted(folder.glob("*.txt")) if not (folder / "train.txt").is_file() else []
            lone = [path for path in lone if path.name != "SOURCE.txt"]
            if len(lone) != 1:
                return filled(
                    read_file("text", "data", find(folder, self.corpus, f"{split}.txt")), f"data={folder}: {split}"
                )
            return share(read_file("text", "data", lone[0]), split, f"data={lone[0]}")
        if self.name.endswith(".txt"):
            return share(read_file("text", "name", self.name), split, f"name={self.name}")
        table = published(self.name, self.revision, HUB_SPLITS[split], self.subset)
        return filled(table, f"name={self.name}")

    def rows(self, split: Split, first: int = 0) -> Iterator[tuple[str]]:
        """Lines without what is around them, so that they are the same from everywhere."""
        for row in super().rows(split, first):
            yield (row[0].strip(),)

    def data_hash(self) -> str:
        for split in SPLITS:
            self.example(split, 0)  # a window that nowhere fits is refused before anything is trained
        return super().data_hash()

    def texts(self) -> Iterable[str]:
        for row in self.rows("train"):
            yield row[0]

    def vocabulary(self) -> Alphabet | int:
        return self.alphabet if self.pieces is None else self.pieces

    @cached_property
    def alphabet(self) -> Alphabet:
        found = {"\n"}
        for split in SPLITS:
            for (line,) in self.rows(split):
                found.update(line)
        return Alphabet(sorted(found))

    @cached_property
    def ends(self) -> dict[Split, Any]:
        """Where each line ends, in characters from the beginning: one number a line is all that is kept in memory."""
        counts: dict[Split, list[Any]] = {
            split: [pc.utf8_length(chunk).to_numpy() for _, chunk in enumerated(self.tables[split].data.column("text"))]
            for split in SPLITS
        }
        return {split: np.cumsum(np.concatenate(parts).astype(np.int64)) for split, parts in counts.items()}

    def windows(self, split: Split, rng: random.Random, number: int, size: int) -> Iterator[str]:
        """Texts of so much running text, the first one the best, for an example of that number.

        Raises ValueError where there is too little.
        """
        ends, found = self.ends[split], False
        for place in itertools.islice(places(split, rng, number, size, int(ends[-1])), TRIES):
            line = bisect_right(ends, place)
            offset = place - (int(ends[line - 1]) if line else 0)
            text = self.from_line(split, line, offset, size)
            if text is not None:
                found = True
                yield text
        if not found:
            where = f"name={self.name}" if self.data is None else f"data={self.data}"
            raise ValueError(f"{where}: {split} is too short for windows of {size:,} {self.unit}s")

    def from_line(self, split: Split, line: int, offset: int, size: int) -> str | None:
        """`size` units from a place in a line on, over as many lines as it takes; None where the text ends before."""
        table, found, count = self.tables[split], [], 0
        while line < len(table) and count < size:
            text = table[line]["text"]
            if self.unit == "word":
                cut = text[offset:] if not offset or text[offset - 1].isspace() else re.sub(r"^\S+", "", text[offset:])
                words = cut.split()[: size - count]
                found, count = [*found, *words], count + len(words)
            else:
                cut = text.strip()[offset:] + "\n"
                found, count = [*found, cut[: size - count]], count + min(len(cut), size - count)
            line, offset = line + 1, 0
        return None if count < size else (" " if self.unit == "word" else "").join(found)


def places(split: Split, rng: random.Random, number: int, size: int, whole: int) -> Iterator[int]:
    """Where, in characters, its window may begin. Training: anywhere, each place as likely.

    Else as far from the others as their count allows, since windows that share text are not independent and make the
    data's own self-BLEU tell of that: at 0, 1/2, 1/4, 3/4, 1/8 ... of the text (van der Corput, 1935), or behind.
    """
    if split == "train":
        while True:
            yield rng.randrange(whole)
    place = int(f"{number:b}"[::-1], 2) * whole >> number.bit_length()
    while True:
        yield place
        place = (place + rng.randrange(size) + 1) % whole


def filled(table: Any, said: str) -> Any:
    if "text" not in table.column_names:
        raise ValueError(f"{said}: has no column text; it has {', '.join(table.column_names)}")
    if not any(pc.any(pc.not_equal(chunk, "")).as_py() for _, chunk in enumerated(table.data.column("text"))):
        raise ValueError(f"{said}: holds no text")
    return table.select_columns(["text"])


def share(table: Any, split: Split, said: str) -> Any:
    first, last = (round(part * len(table)) for part in SHARES[split])
    if first == last:
        raise ValueError(f"{said}: {len(table)} lines are too few to be split")
    return filled(table.select(range(first, last)), f"{said}: {split}")


def spans(text: str) -> Sequence[tuple[int, int]]:
    """Where its words stand."""
    return [found.span() for found in re.finditer(r"\S+", text)]
