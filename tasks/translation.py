"""Translation of image captions on Multi30k (Elliott et al., 2016), a usual benchmark of NAR decoders."""

import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.base import Example, Split
from tasks.corpus import (
    HUB_SPLITS,
    SPLITS,
    RealText,
    check_pieces,
    checked,
    find,
    home,
    published,
    side_by_side,
)
from tasks.files import ADVICE, read_file
from tasks.metrics.overlap import Bleu, Chrf
from tasks.metrics.words import check_language

CALLED = "multi30k"
HUB_TEST = "test_2016_flickr"
SEEN = 1000  # test texts whose script is compared with the language


class Translation(RealText):
    """Prompt: a sentence in the language `source`; target: its translation into the language `target`.

    data: a folder that has train, val and `test` as NAME.LANGUAGE or NAME.LANGUAGE.gz, one sentence a line, or that has
    a folder multi30k with them; null loads `name` at `revision` from the Hugging Face hub.  pieces: of the BPE
    vocabulary.  longest: see `RealText`.  BLEU's words are those of the target language (see `tasks.metrics.words`).
    Raises ValueError if files are missing or their numbers of lines differ.
    """

    holes = "suffix"
    generated = False
    not_for_training = frozenset({"test"})

    def __init__(
        self,
        data: str | None,
        name: str,
        revision: str,
        source: str,
        target: str,
        test: str,
        pieces: int,
        longest: int = 1000,
    ):
        if source == target:
            raise ValueError(f"target={target}: is the source language, too; a translation has two")
        self.name, self.revision, self.test, self.longest = name, revision, test, longest
        self.languages, self.language, self.pieces = (source, target), target, pieces
        self.strata, self.metrics = (test,), (Bleu(target), Chrf())
        check_pieces(pieces)
        self.folder = None if data is None else home(data, CALLED)
        self.files = {} if self.folder is None else {split: self.find(self.folder, split) for split in SPLITS}

    def find(self, folder: Path, split: Split) -> dict[str, Path]:
        stem = {"train": "train", "valid": "val", "test": self.test}[split]
        return {
            language: find(folder, CALLED, f"{stem}.{language}", f"{stem}.{language}.gz") for language in self.languages
        }

    def load(self, split: Split) -> Any:
        both = {language: language for language in self.languages}
        if self.folder is None:
            said = f"name={self.name}"
            if self.test != HUB_TEST:
                raise ValueError(f"test={self.test}: {self.name} has only {HUB_TEST}; {ADVICE}")
            return checked(published(self.name, self.revision, HUB_SPLITS[split]), both, said)
        sides = {language: read_file("text", "data", path) for language, path in self.files[split].items()}
        said = f"data={self.folder}: {split}"
        return checked(side_by_side(sides, said), both, said)

    def data_hash(self) -> str:
        check_language("target", self.language, [text for _, text in itertools.islice(self.rows("test"), SEEN)])
        return super().data_hash()

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        for number, (source, target) in enumerate(self.rows(split, first), first):
            yield Example(f"{split}-{number}", source, target, references=(target,), stratum=self.test)

    def vocabulary(self) -> int:
        return self.pieces

    def room(self, prompt_tokens: int) -> int:
        """Enough for 99.7 % of training targets at 4,000 pieces; depends on the prompt only, not on the target."""
        return math.ceil(1.25 * prompt_tokens) + 8
