"""A trained paradigm in front of a test set: what every measurement is made of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from paradigms.base import Canvas, Paradigm
from tasks.base import Example, Task
from wordways.run.noise import SeededNoise
from wordways.run.text import Encoded, Text


@dataclass(frozen=True)
class Subject:
    """A paradigm in front of a test set."""

    paradigm: Paradigm
    text: Text
    examples: list[Example]
    rows: list[Encoded]
    seed: int
    device: torch.device

    def noise(self, indices: Sequence[int], draws: str = "") -> SeededNoise:
        return SeededNoise(self.seed, [draws + self.examples[index].id for index in indices], self.device)

    def blank(self, indices: Sequence[int]) -> Canvas:
        return self.text.blank([self.rows[index] for index in indices], self.paradigm.length).to(self.device)

    def chunks(self, size: int, indices: Sequence[int]) -> list[list[int]]:
        """Indices in batches, rows of like length together."""
        near = sorted(indices, key=lambda index: len(self.rows[index].prompt) + self.rows[index].room)
        return [near[first : first + size] for first in range(0, len(near), size)]


def test_set(task: Task, text: Text, items: int | None) -> tuple[list[Example], list[Encoded]]:
    """The first `items` test examples of every stratum, in the task's order.

    Raises RuntimeError where what stands before or behind a hole does not come back from the tokenizer.
    """
    taken: Counter[str] = Counter()
    examples = []
    for example in task.examples("test"):
        if items is None or taken[example.stratum] < items:
            taken[example.stratum] += 1
            examples.append(example)
        elif all(taken[stratum] >= items for stratum in task.strata):
            break
    for example in examples:
        for side in ("prompt", "suffix"):
            if not text.comes_back(getattr(example, side)):
                raise RuntimeError(f"{example.id}: its {side} does not come back from the tokenizer as it was")
    return examples, text.encode(examples)
