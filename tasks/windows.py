"""Running text: every example is a window of a corpus, located by its number, with any start."""

import itertools
import random
import re
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

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
)
from tasks.files import read_file
from tasks.metrics.words import check_language

Unit = Literal["word", "character"]
SHARES = {"train": (0.0, 0.9), "valid": (0.9, 0.95), "test": (0.95, 1.0)}  # of the lines of a file without splits
TRIES = 1000
SEEN = 1000  # lines whose script is compared with the language
MOST_UNITS = 100_000  # words or characters of a window


class Windows(RealText):
    """The shared part of tasks whose examples are windows of `size` words, or characters, of running text.

    data: a folder that has train.txt, valid.txt and test.txt, or a single txt file (the first 90 % of lines are for
    training, the next 5 % for validation), or a folder named after the corpus, wikitext-2 or tinyshakespeare, with
    these; null loads `name` from the Hugging Face hub, or one file if `name` is the URL of a txt file.
    unit: of the sizes and of the vocabulary, which are `pieces` BPE pieces for words, and all characters otherwise.
    language: of the text, which decides where metrics see the ends of words (see `tasks.metrics.words`).
    """

    generated = True
    not_for_training = frozenset({"language"})
    unsaid: ClassVar = {"language": "en"}

    def __init__(
        self,
        data: str | None,
        name: str,
        subset: str | None,
        revision: str | None,
        unit: Unit,
        pieces: int | None,
        language: str,
    ):
        if (pieces is None) != (unit == "character"):
            raise ValueError(
                f"pieces={pieces}, unit={unit}: must be {LEAST_PIECES} or more for words, null for characters"
            )
        if pieces is not None:
            check_pieces(pieces)
        self.data, self.name, self.subset, self.revision = data, name, subset, revision
        self.unit, self.pieces, self.language = unit, pieces, language
        self.joint = " " if unit == "word" else ""
        # the subset's name without its version, or the name of the folder that the published file is in
        self.corpus = re.sub(r"(-raw)?-v\d+$", "", subset) if subset else name.split("/")[-2:][0]

    @abstractmethod
    def example(self, split: Split, number: int) -> Example:
        """The example of a number."""

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
        """Lines without surrounding white space, so that every source gives the same ones."""
        for row in super().rows(split, first):
            yield (row[0].strip(),)

    def data_hash(self) -> str:
        for split in SPLITS:
            self.example(split, 0)  # raises before training if no window fits
        check_language("language", self.language, [line for (line,) in itertools.islice(self.rows("test"), SEEN)])
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
        """The end of each line, in characters from the start, (lines,): the only part of a corpus kept in memory."""
        counts: dict[Split, list[Any]] = {
            split: [pc.utf8_length(chunk).to_numpy() for _, chunk in enumerated(self.tables[split].data.column("text"))]
            for split in SPLITS
        }
        return {split: np.cumsum(np.concatenate(parts).astype(np.int64)) for split, parts in counts.items()}

    def windows(self, split: Split, rng: random.Random, number: int, size: int) -> Iterator[str]:
        """Candidate windows of `size` units for the example of a number, in order of preference.

        Raises ValueError if the split is too short.
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
        """`size` units from an offset of a line on, across lines; None if the text ends before."""
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
    """Possible starts of a window, in characters. In training they are uniform over the text.

    In evaluation windows are spread as far apart as their number allows, at 0, 1/2, 1/4, 3/4, 1/8 ... of the text (van
    der Corput, 1935) or after, since windows that overlap are not independent and raise the references' self-BLEU.
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
        raise ValueError(f"{said}: contains no text")
    return table.select_columns(["text"])


def share(table: Any, split: Split, said: str) -> Any:
    first, last = (round(part * len(table)) for part in SHARES[split])
    if first == last:
        raise ValueError(f"{said}: {len(table)} lines are too few to be split")
    return filled(table.select(range(first, last)), f"{said}: {split}")


def spans(text: str) -> Sequence[tuple[int, int]]:
    """The start and end of every word of a text, in characters."""
    return [found.span() for found in re.finditer(r"\S+", text)]
