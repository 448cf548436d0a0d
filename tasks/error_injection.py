"""Revision of answers with wrong words: what a paradigm detects and corrects, and which right words it corrupts.

After Kamoi et al. (2024) and the claims for remasking samplers (Wang et al., 2025). Any task with a known vocabulary
can be wrapped. The draft is the initial content of the masked positions, for paradigms that revise in place, or part of
the prompt, for paradigms that are trained to generate the corrected text anew. Its errors are injected into a right
answer, or they are the paradigm's own.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from typing import ClassVar, Literal

from tasks.base import Example, Setting, Share, Split, Task
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric
from tasks.metrics.revision import BreakRate, DraftAccuracy, FixRate, NetGain

DRAFT = "~"  # separates a prompt from the draft after it
OTHERS = 256  # answers that plausible words are sampled from
TRIES = 100


class Drafted(Task):
    """The shared part of all these tasks: the scores.  task: the wrapped task."""

    metrics: Sequence[Metric] = (Accuracy(), FixRate(), BreakRate(), NetGain())

    def __init__(self, task: Task):
        if isinstance(task.vocabulary(), int):
            raise ValueError("task: must have a vocabulary of words; a task with BPE pieces cannot be wrapped")
        self.task = task
        self.holes, self.shareable, self.generated = task.holes, task.shareable, task.generated  # type: ignore[misc]
        self.strata, self.disjoint = task.strata, task.disjoint  # type: ignore[misc]

    def vocabulary(self) -> Sequence[str] | int:
        return self.task.vocabulary()

    def score(self, example: Example, text: str) -> dict[str, float | Share | None]:
        """accuracy: the wrapped task's; the rates compare draft and text with the target word by word."""
        right = example.target.split()
        before, after = (
            [a == b for a, b in zip_longest(words[: len(right)], right)]
            for words in (self.draft_of(example).split(), text.split())
        )
        fixed = sum(now and not was for was, now in zip(before, after, strict=True))
        broken = sum(was and not now for was, now in zip(before, after, strict=True))
        return {
            "accuracy": self.task.score(example, text)["accuracy"],
            "fix_rate": Share(fixed, before.count(False)),
            "break_rate": Share(broken, before.count(True)),
            "net_gain": (fixed - broken) / len(right),
        }

    def room(self, prompt_tokens: int) -> int | None:
        return self.task.room(prompt_tokens)

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> Sequence[Mapping[str, float]] | None:
        return None

    def theory(self, setting: Setting) -> None:
        return None

    def data_hash(self) -> str:
        return self.task.data_hash()

    def training_hash(self) -> str:
        return self.task.training_hash()


class Injected(Drafted):
    """The shared part of tasks that inject errors into a right answer.

    wrong: words that are replaced.  corruption: by any other word (random), or by a word that another answer has at the
    same position (plausible).
    """

    def __init__(self, task: Task, wrong: int, corruption: Literal["random", "plausible"]):
        super().__init__(task)
        self.wrong, self.corruption = wrong, corruption
        self.others = [example.target.split() for example in islice(task.examples("valid"), OTHERS)]
        shortest = min(map(len, self.others))
        if not 1 <= wrong < shortest:
            raise ValueError(
                f"wrong={wrong}: must be from 1 to {shortest - 1}; the shortest answer has {shortest} words"
            )

    def corrupted(self, example: Example, name: str) -> str:
        """The target with `wrong` wrong words, which is no right answer. Raises ValueError if none is found."""
        words, rng = example.target.split(), random.Random(name)
        for _ in range(TRIES):
            draft = [*words]
            for place in rng.sample(range(len(words)), self.wrong):
                draft[place] = rng.choice([word for word in self.choices(place) if word != words[place]] or words)
            text = " ".join(draft)
            wrong = sum(a != b for a, b in zip(draft, words, strict=True))
            if wrong == self.wrong and not self.task.score(example, text)["accuracy"]:
                return text
        raise ValueError(f"wrong={self.wrong}: no wrong answer to {example.prompt!r} found in {TRIES} attempts")

    def choices(self, place: int) -> Sequence[str]:
        if self.corruption == "plausible":
            return [words[place] for words in self.others if place < len(words)]
        words = self.task.vocabulary()
        return [] if isinstance(words, int) else words


class ErrorInjection(Injected):
    """Drafts are the initial content of the test canvas; training and checkpoint are those of the wrapped task."""

    not_for_training: ClassVar[frozenset[str]] = frozenset({"wrong", "corruption"})

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        for example in self.task.examples(split, first):
            draft = self.corrupted(example, f"draft-{example.id}") if split == "test" else ""
            yield replace(example, draft=draft)


class EditFromPrompt(Injected):
    """The draft follows the prompt, in training too: revision is generation conditioned on the draft."""

    not_for_training: ClassVar[frozenset[str]] = frozenset()

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        for example in self.task.examples(split, first):
            draft = self.corrupted(example, f"draft-{example.id}")
            yield replace(example, prompt=f"{example.prompt} {DRAFT} {draft}")

    def vocabulary(self) -> Sequence[str] | int:
        words = self.task.vocabulary()
        return words if isinstance(words, int) else [*words, DRAFT]

    def draft_of(self, example: Example) -> str:
        return example.prompt.rpartition(f" {DRAFT} ")[2]


class OwnErrors(Drafted):
    """The draft is what the paradigm itself generates first, right or wrong; training is that of the wrapped task.

    A draft may be right already: it then counts for the break rate, but has no errors to detect or correct.
    """

    asks_for_drafts = True
    not_for_training: ClassVar[frozenset[str]] = frozenset()
    metrics: Sequence[Metric] = (*Drafted.metrics, DraftAccuracy())

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        return iter(self.task.examples(split, first))

    def score(self, example: Example, text: str) -> dict[str, float | Share | None]:
        before = self.task.score(example, example.draft)["accuracy"]
        return super().score(example, text) | {"draft_accuracy": before}
