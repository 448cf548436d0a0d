"""GSM8K: word problems of primary-school mathematics, answered in a few steps (Cobbe et al., 2021)."""

import itertools
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from tasks.base import Example, Split
from tasks.corpus import RealText, check_pieces, checked, enumerated, find, home, pc, published
from tasks.files import read_file
from tasks.metrics.accuracy import Accuracy, FlexibleAccuracy
from tasks.metrics.base import Metric
from tasks.stops import before

CALLED = "gsm8k"
STOPS = ("Question:", "</s>", "<|im_end|>")
MARKED = re.compile(r"#### (-?[0-9.,]+)")
NUMBER = re.compile(r"-?[$0-9.,]{2,}|-?[0-9]+")
VALID = 20  # one in so many training problems, the last ones, is for validation
MOST_TOKENS = 100_000


class Gsm8k(RealText):
    """Prompt: `shots` worked examples, the first of the training set, and a question; target: the worked answer.

    Prompt, stop strings and the two ways to find a number are those of lm-evaluation-harness (Gao et al., 2024):
    accuracy takes the first number after ####, flexible_accuracy the last number.  tokens: masked positions of every
    example.  pieces: of the BPE vocabulary.  longest: see `RealText`.  data: a folder that has
    train.jsonl and test.jsonl, or that has a folder gsm8k with them; null loads `name` from the Hugging Face hub.
    Worked examples are no training examples.
    """

    holes = "suffix"
    joint = " "
    generated = False
    not_for_training = frozenset[str]()
    strata = ("problems",)
    metrics: Sequence[Metric] = (Accuracy(), FlexibleAccuracy())

    def __init__(
        self,
        data: str | None,
        name: str,
        subset: str | None,
        revision: str | None,
        shots: int,
        tokens: int,
        pieces: int,
        longest: int = 2000,
    ):
        if shots < 0 or not 1 <= tokens <= MOST_TOKENS:
            raise ValueError(f"shots={shots}, tokens={tokens}: must be at least 0, and from 1 to {MOST_TOKENS:,}")
        check_pieces(pieces)
        self.data, self.name, self.subset, self.revision = data, name, subset, revision
        self.shots, self.tokens, self.pieces, self.longest = shots, tokens, pieces, longest

    def load(self, split: Split) -> Any:
        file: Split = "test" if split == "test" else "train"
        if self.data is None:
            kept = solved(published(self.name, self.revision, file, self.subset), f"name={self.name}: {file}")
        else:
            path = find(home(self.data, CALLED), CALLED, f"{file}.jsonl")
            kept = solved(read_file("json", "data", path, ["question", "answer"]), f"data={path}")
        if split == "test":
            return kept
        count = len(kept) - max(1, len(kept) // VALID)
        if self.shots >= count:
            raise ValueError(f"shots={self.shots}: must be less than the {count} training problems")
        return kept.select(range(count) if split == "train" else range(count, len(kept)))

    @cached_property
    def shown(self) -> str:
        """The worked examples that every prompt begins with."""
        rows = itertools.islice(self.rows("train"), self.shots)
        return "".join(f"{asked(question)}{self.joint}{answer}\n\n" for question, answer in rows)

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        skipped = self.shots if split == "train" else 0
        for number, (question, answer) in enumerate(self.rows(split, skipped + first), first):
            prompt, name = self.shown + asked(question), f"{split}-{number}"
            yield Example(name, prompt, answer, references=(answer,), stratum=self.strata[0])

    def vocabulary(self) -> int:
        return self.pieces

    def room(self, prompt_tokens: int) -> int:
        return self.tokens

    def score(self, example: Example, text: str) -> dict[str, float]:
        text, right = before(text, STOPS), plain(MARKED.findall(example.target)[-1])
        marked, numbers = MARKED.findall(text), NUMBER.findall(text)
        return {
            "accuracy": float(bool(marked) and plain(marked[0]) == right),
            "flexible_accuracy": float(bool(numbers) and plain(numbers[-1]) == right),
        }


def asked(question: str) -> str:
    return f"Question: {question}\nAnswer:"


def plain(number: str) -> str:
    """A number without thousands separators, currency and final stop; numbers are compared as strings."""
    return number.replace(",", "").replace("$", "").removesuffix(".")


def solved(table: Any, said: str) -> Any:
    """The table's questions and answers. Raises ValueError where an answer has no marked number."""
    kept = checked(table, {"question": "question", "answer": "answer"}, said)
    for number, chunk in enumerated(kept.data.column("answer")):
        place = pc.index(pc.match_substring_regex(chunk, MARKED.pattern), False).as_py()
        if place >= 0:
            raise ValueError(f"{said}: row {number + place} has an answer without a number after ####")
    return kept
