"""What a metric must say: how one text is judged, and how many texts are judged together."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar


class Metric(ABC):
    """A set's value is a function of sums over its items, so that it pools and bootstraps without the texts.

    None is the value of what has none: where the formula divides by nothing.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool | None]
    """None where neither is: what is best is a number in between, as the data's own. No row is marked the best then."""

    pooled: ClassVar[bool]
    """True where a set's value is not the mean of its items' values."""

    beside_data: ClassVar[bool] = False
    """True where the number says something only beside the same number of the data."""

    of_demands: ClassVar[bool] = False
    """True where a text is compared with what it must say (Example.demands), not with other texts."""

    of_sets: ClassVar[bool] = False
    """True where a text's value depends on the texts beside it."""

    @abstractmethod
    def item(self, text: str, references: Sequence[str]) -> float | None:
        """One text's value."""

    @abstractmethod
    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """What this text adds to the sums; only zeros where it has no value."""

    @abstractmethod
    def rows(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """What each text of a set adds to the sums."""

    @abstractmethod
    def value(self, sums: Sequence[float]) -> float | None:
        """The value of a set of texts from the sums of their statistics."""

    @abstractmethod
    def signature(self) -> str:
        """What pins the computation, as the underlying library names it; empty where the formula says all."""


class ByItem(Metric):
    """What metrics share that judge each text by itself."""

    def rows(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        return [self.statistics(text, known) for text, known in zip(texts, references, strict=True)]


class Mean(ByItem):
    """Of these, metrics whose set value is the mean of what their items have."""

    unit = "share"
    higher_is_better = True
    pooled = False

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        found = self.item(text, references)
        return [0.0, 0.0] if found is None else [found, 1.0]

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None

    def signature(self) -> str:
        return ""


class BySet(Metric):
    """What metrics share that judge a text among others."""

    of_sets = True

    def item(self, text: str, references: Sequence[str]) -> float | None:
        return self.value(self.statistics(text, references))

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        return self.rows([text], [references])[0]
