"""Multi30k, English to German: captions, the home ground of parallel decoders (Elliott et al., 2016)."""

import hashlib
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from tasks.base import Example, Setting, Split, Task, Theory
from tasks.metrics.base import Metric
from tasks.metrics.overlap import Bleu, Chrf

SPLITS: tuple[Split, ...] = ("train", "valid", "test")
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
HUB_TEST = "test_2016_flickr"


class Translation(Task):
    """Prompt: a sentence in `source`; target: the same in `target`.

    data: a folder with train, val and `test` as NAME.LANGUAGE or NAME.LANGUAGE.gz, one sentence a line; null loads
    `name` at `revision` from the Hugging Face hub.  Raises ValueError where files are missing or do not pair up.
    """

    holes = "suffix"
    generated = False
    not_for_training = frozenset({"test"})
    shareable = False  # research-only images behind the captions: records keep scores and outputs, not the data
    metrics: Sequence[Metric] = (Bleu(), Chrf())

    def __init__(self, data: str | None, name: str, revision: str, source: str, target: str, test: str, pieces: int):
        self.name, self.revision, self.test = name, revision, test
        self.source, self.target, self.pieces = source, target, pieces
        self.strata = (test,)
        if pieces < 300:
            raise ValueError(f"pieces={pieces}: must be at least 300, to hold every byte")
        self.files = None if data is None else {split: self.find(Path(data), split) for split in SPLITS}
        if data is None and test != HUB_TEST:
            raise ValueError(f"test={test}: {name} has only {HUB_TEST}; give a folder through task.data")

    def find(self, folder: Path, split: Split) -> dict[str, str]:
        stem = {"train": "train", "valid": "val", "test": self.test}[split]
        found = {}
        for language in (self.source, self.target):
            names = [f"{stem}.{language}", f"{stem}.{language}.gz"]
            paths = [path for path in (folder / name for name in names) if path.is_file()]
            if not paths:
                raise ValueError(f"data={folder}: holds no {' or '.join(names)}")
            found[language] = str(paths[0])
        return found

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        for number, (source, target) in enumerate(self.pairs[split][first:], first):
            yield Example(f"{split}-{number}", source, target, references=(target,), stratum=self.test)

    @cached_property
    def pairs(self) -> dict[Split, list[tuple[str, str]]]:
        return {split: self.load(split) for split in SPLITS}

    def load(self, split: Split) -> list[tuple[str, str]]:
        import datasets

        datasets.disable_progress_bars()
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # what fails is said once, by us
        if self.files is None:
            try:
                rows = datasets.load_dataset(self.name, revision=self.revision, split=HUB_SPLITS[split])
            except Exception as error:
                advice = "give a folder through task.data"
                raise ValueError(f"name={self.name}: cannot be loaded ({first_cause(error)}); {advice}") from None
            return list(zip(rows[self.source], rows[self.target], strict=True))
        sides = [self.lines(path) for path in self.files[split].values()]
        if not sides[0] or len(sides[0]) != len(sides[1]):
            counts = f"{len(sides[0])} {self.source} and {len(sides[1])} {self.target} lines"
            raise ValueError(f"data={Path(self.files[split][self.source]).parent}: {split} has {counts}")
        return list(zip(*sides, strict=True))

    def lines(self, path: str) -> list[str]:
        import datasets

        try:
            return list(datasets.load_dataset("text", data_files=path, split="train")["text"])
        except Exception as error:
            raise ValueError(f"data={path}: cannot be read ({first_cause(error)})") from None

    def vocabulary(self) -> int:
        return self.pieces

    def room(self, prompt_tokens: int) -> int:
        """Holds 99.7 % of training targets at 4,000 pieces; a function of the prompt, so no length is given away."""
        return math.ceil(1.25 * prompt_tokens) + 8

    def score(self, example: Example, text: str) -> Mapping[str, float | None]:
        return {metric.name: metric.item(text, example.references) for metric in self.metrics}

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        return None

    def data_hash(self) -> str:
        return self.hash_of(SPLITS)

    def training_hash(self) -> str:
        return self.hash_of(("train", "valid"))

    def hash_of(self, splits: Sequence[Split]) -> str:
        digest = hashlib.sha256()
        for split in splits:
            for pair in self.pairs[split]:
                digest.update("\t".join(pair).encode() + b"\n")
        return digest.hexdigest()[:16]


def first_cause(error: BaseException) -> str:
    """One line: a library of many layers wraps what went wrong, the first cause says it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())
