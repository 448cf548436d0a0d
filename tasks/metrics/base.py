"""The metric interface: the value of one text, and the value of a set of texts from sums over them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar


class Metric(ABC):
    """A set's value is a function of sums over its texts, so that it can be pooled and bootstrapped without the texts.

    A value is None where it is undefined: where the formula divides by zero.
    """

    name: ClassVar[str]
    """Unique and lower snake_case; records and tables use it."""

    unit: ClassVar[str]
    """Of the value, as tables print it: share, BLEU, bits ..."""

    higher_is_better: ClassVar[bool | None]
    """None where neither direction is better, as where the best value is the reference's; no value is marked then."""

    pooled: ClassVar[bool]
    """True where a set's value is not the mean of its texts' values."""

    beside_data: ClassVar[bool] = False
    """True where the value can only be interpreted beside the same metric of the references."""

    of_demands: ClassVar[bool] = False
    """True where a text is compared with what it must express (Example.demands), not with reference texts."""

    of_sets: ClassVar[bool] = False
    """True where a text's value depends on the other texts of its set."""

    signed: ClassVar[bool] = False
    """True where a share may be negative, as a difference of two shares."""

    sample: ClassVar[tuple[str, tuple[str, ...]]] = ("a dog runs over the bridge", ("a dog runs over the bridge",))
    """A text, and the references (or demands) that it matches in full: the contract tests start from it."""

    @abstractmethod
    def item(self, text: str, references: Sequence[str]) -> float | None:
        """The value of one text."""

    @abstractmethod
    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """What one text adds to the sums: only zeros where it has no value, unless the metric is pooled."""

    @abstractmethod
    def rows(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """What each text of a set adds to the sums: one row a text, all of the same length."""

    @abstractmethod
    def value(self, sums: Sequence[float]) -> float | None:
        """The value of a set of texts, from the sums of their statistics."""

    @abstractmethod
    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """The versions and options that pin the computation on a set of texts; empty where the formula defines it.

        references: the references (or demands) of every text that was scored.
        """


class ByItem(Metric):
    """The shared part of metrics that score each text separately."""

    def rows(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        return [self.statistics(text, known) for text, known in zip(texts, references, strict=True)]


class Mean(ByItem):
    """The shared part of metrics whose set value is the mean of their texts' values, where these are defined."""

    unit = "share"
    higher_is_better = True
    pooled = False

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        found = self.item(text, references)
        return [0.0, 0.0] if found is None else [found, 1.0]

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        return ""


class ByTask(Mean):
    """The shared part of metrics that need more than the texts: only a task's `score` can compute their values."""

    def item(self, text: str, references: Sequence[str]) -> None:
        return None


class BySet(Metric):
    """The shared part of metrics that score a text among the others of its set."""

    of_sets = True

    def item(self, text: str, references: Sequence[str]) -> float | None:
        return self.value(self.statistics(text, references))

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        return self.rows([text], [references])[0]
