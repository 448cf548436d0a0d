"""What a language model makes of texts: its nats are summed elsewhere, the formulas stand here."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar


class Judged(ABC):
    """A set's value is a function of two sums over its texts: a judge's nats, and tokens."""

    name: ClassVar[str]
    unit: ClassVar[str]

    @abstractmethod
    def value(self, sums: Sequence[float]) -> float | None:
        """The value of a set of texts; None without a token."""


class GenerativePerplexity(Judged):
    """exp(nats / tokens) of texts given their prompts, under a named judge.

    A text that repeats itself has a small one: to be read beside entropy, and beside the references' own.
    """

    name = "generative_perplexity"
    unit = "perplexity"

    def value(self, sums: Sequence[float]) -> float | None:
        return math.exp(sums[0] / sums[1]) if sums[1] else None


class Seam(Judged):
    """nats / tokens of the first few tokens behind a seam, given all before it: does what was written join on?"""

    unit = "nats/token"

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None


class LeftSeam(Seam):
    """Of a text's own first tokens, behind its prompt."""

    name = "left_seam"


class RightSeam(Seam):
    """Of the suffix's first tokens, behind prompt and text."""

    name = "right_seam"


JUDGED: dict[str, Judged] = {metric.name: metric for metric in (GenerativePerplexity(), LeftSeam(), RightSeam())}
