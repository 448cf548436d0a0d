"""The subject of every measurement: a trained paradigm and the test set that it is evaluated on."""

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
    """A trained paradigm with encoded test examples; `rows` encodes `examples` in the same order."""

    paradigm: Paradigm
    text: Text
    examples: list[Example]
    rows: list[Encoded]
    seed: int
    device: torch.device

    def noise(self, indices: Sequence[int], draws: str = "") -> SeededNoise:
        """Noise seeded by the items' names; the prefix `draws` makes further samples of the same items independent."""
        return SeededNoise(self.seed, [draws + self.examples[index].id for index in indices], self.device)

    def blank(self, indices: Sequence[int]) -> Canvas:
        """The canvas to decode for these items, on the subject's device."""
        return self.text.blank([self.rows[index] for index in indices], self.paradigm.length).to(self.device)

    def chunks(self, size: int, indices: Sequence[int]) -> list[list[int]]:
        """Indices in batches of similar length."""
        near = sorted(indices, key=lambda index: len(self.rows[index].prompt) + self.rows[index].room)
        return [near[first : first + size] for first in range(0, len(near), size)]


def test_set(task: Task, text: Text, items: int | None) -> tuple[list[Example], list[Encoded]]:
    """The first `items` test examples of every stratum, in the task's order.

    Raises RuntimeError where the tokenizer does not reproduce a prompt or a suffix exactly.
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
                raise RuntimeError(f"{example.id}: the tokenizer does not reproduce its {side} exactly")
    return examples, text.encode(examples)
