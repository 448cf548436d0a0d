"""LAMBADA: the last word of a passage, which people guess from the whole passage only (Paperno et al., 2016)."""

from collections.abc import Iterable, Sequence
from typing import Any

from tasks.base import Example, Split
from tasks.corpus import EvaluationOnly, checked, enumerated, find, home, pc, published
from tasks.files import read_file
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

CALLED = "lambada"
TWO_WORDS = r"(?s)\S.* [^ ]*[^ \s][^ ]*$"  # a last space, with something on both of its sides


class Lambada(EvaluationOnly):
    """Prompt: a passage up to its last space; target: the word, with its punctuation, after it.

    A text is right if it equals the word. It gets as many tokens as the word has, which is the usual measure: whether
    each token of the word is the likeliest one.  data: a folder that has lambada_test.jsonl, or that has a folder
    lambada with it; null reads `name`, the URL of a jsonl file, or else a data set of the Hugging Face hub with its
    `subset` and `revision`.  longest: see `RealText`.
    """

    holes = "suffix"
    joint = " "
    strata = ("passages",)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, data: str | None, name: str, subset: str | None, revision: str | None, longest: int = 10_000):
        self.longest = longest
        self.data, self.name, self.subset, self.revision = data, name, subset, revision

    def load(self, split: Split) -> Any:
        if self.data is not None:
            said, path = "data", find(home(self.data, CALLED), CALLED, "lambada_test.jsonl")
            return passages(read_file("json", "data", path, ["text"]), f"{said}={path}")
        if self.name.endswith(".jsonl"):
            return passages(read_file("json", "name", self.name, ["text"]), f"name={self.name}")
        return passages(published(self.name, self.revision, split, self.subset), f"name={self.name}")

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        for number, (text,) in enumerate(self.rows(split, first), first):
            prompt, target = text.rsplit(" ", 1)
            yield Example(f"{split}-{number}", prompt, target, references=(target.strip(),), stratum=self.strata[0])

    def room(self, prompt_tokens: int) -> None:
        return None

    def score(self, example: Example, text: str) -> dict[str, float]:
        return {"accuracy": float(text.strip() == example.target.strip())}


def passages(table: Any, said: str) -> Any:
    """The table's texts. Raises ValueError where one has no last word."""
    kept = checked(table, {"text": "text"}, said)
    for number, chunk in enumerated(kept.data.column("text")):
        place = pc.index(pc.match_substring_regex(chunk, TWO_WORDS), False).as_py()
        if place >= 0:
            raise ValueError(f"{said}: row {number + place} has no last word after a space")
    return kept
