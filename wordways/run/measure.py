"""Settings of a run's measurements: how many items are scored, timed and traced, and how."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm

TRACED = 16  # items whose every forward pass is kept in the record
Drafter = Callable[[Paradigm, Canvas, Noise], Iterator[Tensor]]


@dataclass(frozen=True)
class MeasureSettings:
    """items, likelihood_items: number of test examples per stratum; null for all.

    score_batch: batch size of scoring.  batches: batch sizes of timings; those above the number of items are left out.
    timed: texts timed at batch 1, one by one, or all where the test set has fewer.  lengths: forced text lengths in
    tokens. Without batches, or lengths, nothing of that kind is timed.  repeats: repetitions of every timing,
    fewer where all medians are known precisely before.
    drafter: the decoder that generates the drafts, for tasks that revise the paradigm's own drafts.
    extra: additional Hugging Face `evaluate` metrics, each a name, a name@revision or a folder.
    keep: which texts are kept: samples, the first ones, in the record; or all, also beside it. No part of the record.

    Raises ValueError where a number is out of range.
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
    keep: Literal["samples", "all"] = "samples"

    def __post_init__(self) -> None:
        for name in ("items", "likelihood_items", "score_batch", "timed", "repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}: must be at least 1")
        for name in ("batches", "lengths"):
            values = list(getattr(self, name))
            if any(value < 1 for value in values) or values != sorted(set(values)):
                raise ValueError(f"{name}={values}: must be positive integers in ascending order")
