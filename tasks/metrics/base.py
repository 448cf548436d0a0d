"""What a metric must say: how one text is judged, and how many texts are judged together."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar


class Metric(ABC):
    """A set's value is a function of sums over its items, so that it pools and bootstraps without the texts."""

    name: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool]
    pooled: ClassVar[bool]
    """True where a set's value is not the mean of its items' values."""

    beside_data: ClassVar[bool] = False
    """True where the number says something only beside the same number of the data."""

    @abstractmethod
    def item(self, text: str, references: Sequence[str]) -> float:
        """One text's value."""

    @abstractmethod
    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """What this text adds to the sums."""

    @abstractmethod
    def value(self, sums: Sequence[float]) -> float:
        """The value of a set of texts from the sums of their statistics."""

    @abstractmethod
    def signature(self) -> str:
        """What pins the computation, as the underlying library names it; empty where the formula says all."""
