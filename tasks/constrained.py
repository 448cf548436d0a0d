"""Constrained generation on CommonGen: an everyday sentence that contains given concepts (Lin et al., 2020)."""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.base import Example, Split
from tasks.corpus import (
    RealText,
    check_pieces,
    checked,
    find,
    home,
    one_or_more,
    published,
    side_by_side,
    together,
)
from tasks.files import read_file
from tasks.metrics.base import Metric
from tasks.metrics.coverage import Coverage
from tasks.metrics.overlap import Bleu, Chrf, LengthRatio, RougeL

CALLED = "commongen"
FILES: dict[Split, str] = {"valid": "commongen.dev.jsonl", "test": "commongen.test.jsonl"}
HUB_SPLITS: dict[Split, str] = {"train": "train[:-1000]", "valid": "train[-1000:]", "test": "validation"}


class Constrained(RealText):
    """Prompt: the concepts, separated by spaces; target: a human sentence that contains them, or one of several.

    In training every row is an example; in validation and test all sentences of the same concepts are one.
    data: a folder that has train.src_alpha.txt and train.tgt.txt, with one example a line, and the release's jsonl
    files, or that has a folder commongen with them; null loads `name` from the Hugging Face hub, where the validation
    set serves as the test set, for the published test set has no sentences.  pieces: of the BPE vocabulary.
    longest: see `RealText`.
    """

    holes = "suffix"
    generated = False
    not_for_training = frozenset[str]()
    strata = ("concepts",)
    metrics: Sequence[Metric] = (Bleu(), Chrf(), Coverage(), RougeL(), LengthRatio())

    def __init__(self, data: str | None, name: str, revision: str | None, pieces: int, longest: int = 1000):
        self.data, self.name, self.revision = data, name, revision
        self.pieces, self.longest = pieces, longest
        check_pieces(pieces)

    def load(self, split: Split) -> Any:
        if self.data is None:
            table = published(self.name, self.revision, HUB_SPLITS[split])
            return checked(table, {"concepts": "concepts", "sentences": "target"}, f"name={self.name}")
        folder = home(self.data, CALLED)
        if split == "train":
            files = {"concepts": "train.src_alpha.txt", "sentences": "train.tgt.txt"}
            sides = {column: read_file("text", "data", find(folder, CALLED, name)) for column, name in files.items()}
            said = f"data={folder}: {split}"
            return checked(side_by_side(sides, said), {column: column for column in files}, said)
        path = find(folder, CALLED, FILES[split])
        table = read_file("json", "data", path, ["concept_set", "scene"])
        return checked(table, {"concepts": "concept_set", "sentences": "scene"}, f"data={path}")

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        rows = self.rows(split, first if split == "train" else 0)
        if split != "train":
            rows = itertools.islice(together(rows).items(), first, None)
        for number, (concepts, sentences) in enumerate(rows, first):
            words, texts = words_of(concepts), one_or_more(sentences)
            prompt, name = " ".join(words), f"{split}-{number}"
            yield Example(name, prompt, texts[0], references=texts, stratum=self.strata[0], demands=words)

    def vocabulary(self) -> int:
        return self.pieces

    def room(self, prompt_tokens: int) -> int:
        """Enough for 99.9 % of training targets at 4,000 pieces; constant, so that it reveals no target length."""
        return 32


def words_of(concepts: str | Sequence[str]) -> tuple[str, ...]:
    """The words of a list, of a text with spaces, or of word_N#word_V, which may mark parts of speech."""
    if isinstance(concepts, str):
        concepts = concepts.split("#") if "#" in concepts else concepts.split()
    return tuple(word for concept in concepts if (word := re.sub("_[A-Z]$", "", concept).strip()))
