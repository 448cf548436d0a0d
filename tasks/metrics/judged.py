"""Scores of texts by a judge language model, whose NLL is summed elsewhere; this file holds the formulas."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar


class Judged(ABC):
    """A set's value is a function of two sums over its texts: the judge's NLL in nats, and tokens."""

    name: ClassVar[str]
    unit: ClassVar[str]

    @abstractmethod
    def value(self, sums: Sequence[float]) -> float | None:
        """The value of a set of texts from [nats, tokens]; None without tokens."""


class GenerativePerplexity(Judged):
    """exp(nats / tokens) of texts given their prompts, under a named judge LM.

    Repetitive texts have a low one: to be read beside the entropy and the references' own value.
    """

    name = "generative_perplexity"
    unit = "perplexity"

    def value(self, sums: Sequence[float]) -> float | None:
        return math.exp(sums[0] / sums[1]) if sums[1] else None


class Seam(Judged):
    """Boundary NLL: nats / tokens of the first few tokens after a boundary, given everything before it."""

    unit = "nats/token"

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None


class LeftSeam(Seam):
    """Boundary NLL (left): nats / tokens of the text's first tokens, given the prompt."""

    name = "left_seam"


class RightSeam(Seam):
    """Boundary NLL (right): nats / tokens of the suffix's first tokens, given prompt and text."""

    name = "right_seam"


JUDGED: dict[str, Judged] = {metric.name: metric for metric in (GenerativePerplexity(), LeftSeam(), RightSeam())}
