"""An answer with wrong words in it: what finds them, what mends them, what spoils the rest.

After Kamoi et al. (2024) and the remasking samplers' own claims (Wang et al., 2025). Any task of known words can be
wrapped. The draft stands in the holes, for paradigms that revise what is there; or in the prompt, for those that can
only write anew, and are trained to copy what is right and correct what is wrong. Errors are put into a right answer, or
they are the paradigm's own.
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

DRAFT = "~"  # stands between a prompt and the draft behind it
OTHERS = 256  # answers from which plausible words are taken
TRIES = 100


class Drafted(Task):
    """What all share: the judge. task: the wrapped one."""

    metrics: Sequence[Metric] = (Accuracy(), FixRate(), BreakRate(), NetGain())

    def __init__(self, task: Task):
        if isinstance(task.vocabulary(), int):
            raise ValueError("task: its words must be known; one that learns pieces from texts cannot be wrapped")
        self.task = task
        self.holes, self.shareable, self.generated = task.holes, task.shareable, task.generated  # type: ignore[misc]
        self.strata = task.strata

    def vocabulary(self) -> Sequence[str] | int:
        return self.task.vocabulary()

    def score(self, example: Example, text: str) -> dict[str, float | Share | None]:
        """accuracy: the wrapped task's; the rates compare each word with the target's, before and after."""
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

    def draft_of(self, example: Example) -> str:
        return example.draft

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
    """Of these, tasks that put the errors into a right answer.

    wrong: words of it that are replaced.  corruption: by any other word (random), or by one that stands at the same
    place in another answer (plausible).
    """

    def __init__(self, task: Task, wrong: int, corruption: Literal["random", "plausible"]):
        super().__init__(task)
        self.wrong, self.corruption = wrong, corruption
        self.others = [example.target.split() for example in islice(task.examples("valid"), OTHERS)]
        shortest = min(map(len, self.others))
        if not 1 <= wrong < shortest:
            raise ValueError(f"wrong={wrong}: must be from 1 to {shortest - 1}, an answer has {shortest} words or more")

    def corrupted(self, example: Example, name: str) -> str:
        """The target with wrong words, no right answer any more. Raises ValueError where there is none."""
        words, rng = example.target.split(), random.Random(name)
        for _ in range(TRIES):
            draft = [*words]
            for place in rng.sample(range(len(words)), self.wrong):
                draft[place] = rng.choice([word for word in self.choices(place) if word != words[place]] or words)
            text = " ".join(draft)
            wrong = sum(a != b for a, b in zip(draft, words, strict=True))
            if wrong == self.wrong and not self.task.score(example, text)["accuracy"]:
                return text
        raise ValueError(f"wrong={self.wrong}: {TRIES} tries found no wrong answer to {example.prompt!r}")

    def choices(self, place: int) -> Sequence[str]:
        if self.corruption == "plausible":
            return [words[place] for words in self.others if place < len(words)]
        words = self.task.vocabulary()
        return [] if isinstance(words, int) else words


class ErrorInjection(Injected):
    """The draft stands in the holes of the test; training is the wrapped task's own, and so is the checkpoint."""

    not_for_training: ClassVar[frozenset[str]] = frozenset({"wrong", "corruption"})

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        for example in self.task.examples(split, first):
            draft = self.corrupted(example, f"draft-{example.id}") if split == "test" else ""
            yield replace(example, draft=draft)


class EditFromPrompt(Injected):
    """The draft stands behind the prompt, in training too: to revise is to write again, with the draft in view."""

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
    """The draft is what the paradigm wrote when it wrote plainly, right or wrong; training is the wrapped task's own.

    Drafts may be right already: these count where something can be broken, and have no errors to be found or mended.
    """

    asks_for_drafts = True
    not_for_training: ClassVar[frozenset[str]] = frozenset()
    metrics: Sequence[Metric] = (*Drafted.metrics, DraftAccuracy())

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        return iter(self.task.examples(split, first))

    def score(self, example: Example, text: str) -> dict[str, float | Share | None]:
        before = self.task.score(example, example.draft)["accuracy"]
        return super().score(example, text) | {"draft_accuracy": before}
