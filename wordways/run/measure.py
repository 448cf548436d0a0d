"""What is measured of a trained paradigm."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm

TRACED = 16  # items whose every call is kept in the record
Drafter = Callable[[Paradigm, Canvas, Noise], Iterator[Tensor]]


@dataclass(frozen=True)
class MeasureSettings:
    """items, likelihood_items: how many of each stratum of the test set; null for all there are.

    score_batch: rows decoded together where only the text matters.  batches: rows decoded together in timings.
    timed: texts timed one by one at batch 1.  lengths: forced text lengths, tokens.  repeats: of every timing.
    drafter: the decoder that writes the drafts, where the task asks for the paradigm's own.
    extra: metrics of the Hugging Face hub beside the task's own, each a name, a name@revision or a folder.
    """

    items: int | None
    likelihood_items: int
    score_batch: int
    batches: Sequence[int]
    timed: int
    lengths: Sequence[int]
    repeats: int
    drafter: Drafter | None = None
    extra: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("items", "likelihood_items", "score_batch", "timed", "repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}: must be at least 1")
        for name in ("batches", "lengths"):
            values = list(getattr(self, name))
            if any(value < 1 for value in values) or values != sorted(set(values)):
                raise ValueError(f"{name}={values}: must be whole numbers from 1 up, ascending")
        if self.timed > TRACED:
            raise ValueError(f"timed={self.timed}: must be at most {TRACED}, the items that are traced")
