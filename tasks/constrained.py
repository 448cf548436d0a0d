"""CommonGen: a few concepts in, an everyday sentence with all of them out (Lin et al., 2020)."""

from collections.abc import Iterable, Sequence
from typing import Any

from tasks.base import Example, Split
from tasks.corpus import RealText, check_pieces, checked, find, home, published, read_file, side_by_side
from tasks.metrics.base import Metric
from tasks.metrics.coverage import Coverage
from tasks.metrics.overlap import Bleu, Chrf, LengthRatio, RougeL

CALLED = "commongen"
FILES: dict[Split, str] = {"valid": "commongen.dev.jsonl", "test": "commongen.test.jsonl"}
HUB_SPLITS: dict[Split, str] = {"train": "train[:-1000]", "valid": "train[-1000:]", "test": "validation"}


class Constrained(RealText):
    """Prompt: concepts between spaces; target: a sentence that people made from them, or one of several.

    data: a folder, or its folder commongen, with train.src_alpha.txt and train.tgt.txt, line by line, and the jsonl
    files of the release; null loads `name` from the Hugging Face hub, whose test set has no sentences: there its
    validation set is the test.
    """

    holes = "suffix"
    generated = False
    not_for_training = frozenset[str]()
    strata = ("concepts",)
    metrics: Sequence[Metric] = (Bleu(), Chrf(), Coverage(), RougeL(), LengthRatio())

    def __init__(self, data: str | None, name: str, revision: str | None, pieces: int):
        self.data, self.name, self.revision, self.pieces = data, name, revision, pieces
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
        table = read_file("json", "data", path)
        return checked(table, {"concepts": "concept_set", "sentences": "scene"}, f"data={path}")

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        for number, (concepts, sentences) in enumerate(self.rows(split, first), first):
            words = tuple(words_of(concepts))
            texts = (sentences,) if isinstance(sentences, str) else tuple(sentences)
            prompt, name = " ".join(words), f"{split}-{number}"
            yield Example(name, prompt, texts[0], references=texts, stratum=self.strata[0], demands=words)

    def vocabulary(self) -> int:
        return self.pieces

    def room(self, prompt_tokens: int) -> int:
        """Holds 99.9 % of training targets at 4,000 pieces; the same for all, so no length is given away."""
        return 32


def words_of(concepts: str | Sequence[str]) -> Sequence[str]:
    """A list of words, words between spaces, or word_N#word_V with their parts of speech."""
    if not isinstance(concepts, str):
        return concepts
    if "#" in concepts:
        return [word.rpartition("_")[0] for word in concepts.split("#")]
    return concepts.split()
