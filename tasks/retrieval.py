"""Pairs read in one direction and asked for in both: can what was learned as "key : value" be found by its value?

After Kitouni et al. (2024). A model reads every pair as a document and, for half of the pairs, questions in both
directions; it is asked about the other half. What it is asked, no training example ever answers in that form.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property

from tasks.base import Example, Setting, Split, Task, Theory
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

FORWARD, BACKWARD = "forward", "backward"


class Retrieval(Task):
    """Prompt: a question, or nothing before a document; target: ": answer", or the document "key : value".

    The colon is written with the answer, so that what stands before a value is the same in both.

    pairs: how many there are.  tokens: of a key, and of a value; every one occurs in one place only.
    """

    holes = "suffix"
    generated = False
    shareable = True
    not_for_training = frozenset[str]()
    strata: Sequence[str] = (FORWARD, BACKWARD)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, pairs: int, tokens: int):
        if pairs < 16 or tokens < 1:
            raise ValueError(f"pairs={pairs}, tokens={tokens}: must be at least 16 pairs of at least 1 token")
        self.pairs, self.tokens = pairs, tokens

    def key(self, pair: int) -> str:
        return " ".join(f"k{pair}.{i}" for i in range(self.tokens))

    def value(self, pair: int) -> str:
        return " ".join(f"v{pair}.{i}" for i in range(self.tokens))

    def document(self, pair: int) -> Example:
        return Example(f"document-{pair}", "", f"{self.key(pair)} : {self.value(pair)}", stratum="document")

    def questions(self, pair: int) -> list[Example]:
        key, value = self.key(pair), self.value(pair)
        return [
            Example(f"{FORWARD}-{pair}", f"value_of {key}", f": {value}", stratum=FORWARD),
            Example(f"{BACKWARD}-{pair}", f"key_of {value}", f": {key}", stratum=BACKWARD),
        ]

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """train: all documents, and questions about half of the pairs.  valid: the documents.  test: the other half."""
        documents = (self.document(pair) for pair in range(self.pairs))
        asked = [pair for pair in range(self.pairs) if (pair in self.held_out) == (split == "test")]
        questions = (question for pair in asked for question in self.questions(pair))
        parts = {"train": (documents, questions), "valid": (documents,), "test": (questions,)}[split]
        yield from itertools.islice(itertools.chain(*parts), first, None)

    @cached_property
    def held_out(self) -> frozenset[int]:
        """The half of the pairs whose hashes are highest."""
        ranked = sorted(range(self.pairs), key=lambda pair: hashlib.blake2b(f"pair-{pair}".encode()).digest())
        return frozenset(ranked[self.pairs // 2 :])

    def vocabulary(self) -> Sequence[str]:
        words = [word for pair in range(self.pairs) for word in f"{self.key(pair)} {self.value(pair)}".split()]
        return ["value_of", "key_of", ":", *words]

    def room(self, prompt_tokens: int) -> None:
        return None

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 where the whole answer is right."""
        return {"accuracy": float(text == example.target)}

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        """What training can have taught: a law in one direction, in none, or in all.

        An autoregressive model never sees a value before its key, one that writes all at once no pair at all; masked
        at every rate alike, each part is learned from the other. At a fixed low rate it depends on the length, and
        of blocks on where they part: no line.
        """
        if setting.measure != "accuracy" or setting.kind == "pseudo" or setting.temperature > 0 or setting.block:
            return None
        forward = setting.stratum == FORWARD
        if setting.kind == "bound" or setting.order is not None:  # whoever can choose an order was masked at every rate
            return Theory(1.0, "read_forward" if forward else "read_backward")
        if len(setting.quotas) == 1:
            return Theory(0.0, "never")
        return Theory(1.0, "read_forward") if forward else Theory(0.0, "never")

    def data_hash(self) -> str:
        return "generated"

    def training_hash(self) -> str:
        return "generated"
