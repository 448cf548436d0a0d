"""Retrieval of memorised pairs in both directions (the reversal curse): given "key : value", ask for value or key.

After Kitouni et al. (2024). Training has every pair as a document and, for half of the pairs, questions in both
directions; the test asks about the other half, whose answers training has only as documents.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property

from tasks.base import Example, Setting, Split, Task, Theory
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

FORWARD, BACKWARD = "forward", "backward"

# Tolerances: how far a measured accuracy may lie, on one side, from an analytic value of 0 or 1.
MOST_PAIRS, MOST_TOKENS = 100_000, 100  # that fit into memory
FORWARD_TOLERANCE = 0.05
BACKWARD_TOLERANCE = 0.10
NEVER_TOLERANCE = 0.05  # where training cannot have taught the answer


class Retrieval(Task):
    """Prompt: a question, or empty for a document; target: ": answer", or the document "key : value".

    The colon belongs to the answer, so that a value has the same left context in both.

    pairs: number of pairs.  tokens: of a key, and of a value; each occurs in one position only.
    """

    holes = "suffix"
    generated = False
    shareable = True
    not_for_training = frozenset[str]()
    strata: Sequence[str] = (FORWARD, BACKWARD)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, pairs: int, tokens: int):
        if not 16 <= pairs <= MOST_PAIRS or not 1 <= tokens <= MOST_TOKENS:
            most = f"from 16 to {MOST_PAIRS:,} pairs of 1 to {MOST_TOKENS} tokens"
            raise ValueError(f"pairs={pairs}, tokens={tokens}: must be {most}")
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
        """train: documents, and questions about half of the pairs.  valid: documents.  test: the other questions."""
        documents = (self.document(pair) for pair in range(self.pairs))
        asked = [pair for pair in range(self.pairs) if (pair in self.held_out) == (split == "test")]
        questions = (question for pair in asked for question in self.questions(pair))
        parts = {"train": (documents, questions), "valid": (documents,), "test": (questions,)}[split]
        yield from itertools.islice(itertools.chain(*parts), first, None)

    @cached_property
    def held_out(self) -> frozenset[int]:
        """The half of the pairs with the highest hashes."""
        ranked = sorted(range(self.pairs), key=lambda pair: hashlib.blake2b(f"pair-{pair}".encode()).digest())
        return frozenset(ranked[self.pairs // 2 :])

    def vocabulary(self) -> Sequence[str]:
        words = [word for pair in range(self.pairs) for word in f"{self.key(pair)} {self.value(pair)}".split()]
        return ["value_of", "key_of", ":", *words]

    def room(self, prompt_tokens: int) -> None:
        return None

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 if the whole answer is right."""
        return {"accuracy": float(text == example.target)}

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        """The accuracy that training can have taught: in one direction, in none, or in both.

        An autoregressive model never conditions a key on its value, a single-pass model neither on the other; with
        uniform mask rates, each is learned from the other. None with a fixed low rate, where it depends on the length,
        and with blocks, where it depends on their boundaries.
        """
        if setting.measure != "accuracy" or setting.kind == "pseudo" or setting.temperature > 0 or setting.block:
            return None
        forward = setting.stratum == FORWARD
        if setting.kind == "bound" or setting.order is not None:  # any order implies training at all mask rates
            return Theory(1.0, FORWARD_TOLERANCE if forward else BACKWARD_TOLERANCE)
        if len(setting.quotas) == 1:
            return Theory(0.0, NEVER_TOLERANCE)
        return Theory(1.0, FORWARD_TOLERANCE) if forward else Theory(0.0, NEVER_TOLERANCE)

    def data_hash(self) -> str:
        return "generated"

    def training_hash(self) -> str:
        return "generated"
