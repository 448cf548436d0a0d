"""Trivial baselines: texts made without a model, by rules that a trained model must surpass to show that it learned.

Where an item gives nothing, neither prompt nor suffix, every text of the data is right and there is nothing to copy:
only the unigram sample is a baseline there.
"""

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import ClassVar

from rapidfuzz import fuzz, process

from tasks.base import Alphabet, Example, Task
from tasks.metrics.words import has_spaces

KNOWN = 2000  # training examples that a baseline knows, the first ones


class Baseline(ABC):
    """A rule that makes texts; every concrete subclass of this module is a baseline of every task."""

    name: ClassVar[str]
    """Unique and lower snake_case; it stands for a preset's name in records."""

    title: ClassVar[str]
    """A noun phrase that tables print, and that "no better than the" may precede."""

    needs_context: ClassVar[bool] = True
    """Whether it is a baseline only where items have a prompt or a suffix."""

    needs_training: ClassVar[bool] = True
    """Whether it is a baseline only of tasks that have training examples."""

    @abstractmethod
    def texts(self, task: Task, examples: Sequence[Example]) -> list[str]:
        """A text for each of these test examples, the same ones at every call."""


def baselines_of(task: Task) -> list[Baseline]:
    """The task's baselines; none where its drafts must come from a model."""
    if task.asks_for_drafts:
        return []
    first = next(iter(task.examples("test")))
    given = bool(first.prompt or first.suffix)
    trained = "train" in task.splits
    kinds = [kind for kind in Baseline.__subclasses__() if trained or not kind.needs_training]
    return [kind() for kind in kinds if given or not kind.needs_context]


@dataclass(frozen=True, eq=False)
class Training:
    """What baselines know of a task's training data.  gap: what stands between its units, words or characters.

    Units are characters also where no spaces separate the words of the language.
    """

    examples: Sequence[Example]
    gap: str

    def units(self, text: str) -> list[str]:
        return text.split() if self.gap else list(text)

    def text(self, units: Sequence[str]) -> str:
        """Units as a text without surrounding white space, as decoded texts are."""
        return self.gap.join(units).strip()

    @cached_property
    def strata(self) -> dict[str, list[Example]]:
        found: dict[str, list[Example]] = {}
        for example in self.examples:
            found.setdefault(example.stratum, []).append(example)
        return found

    def alike(self, example: Example) -> Sequence[Example]:
        """The training examples of an item's stratum; all of them where training does not have the stratum."""
        return self.strata.get(example.stratum, self.examples)


@lru_cache(maxsize=1)
def training_of(task: Task) -> Training:
    gap = "" if isinstance(task.vocabulary(), Alphabet) or not has_spaces(task.language) else " "
    return Training(list(islice(task.examples("train"), KNOWN)), gap)


class CopiedPrompt(Baseline):
    """As many units of the context, from its start, as the reference has; of a revision task the whole draft."""

    name, title, needs_training = "copied_prompt", "copied prompt", False

    def texts(self, task: Task, examples: Sequence[Example]) -> list[str]:
        training, found = training_of(task), []
        for example in examples:
            given = training.units(training.gap.join((example.prompt, example.suffix)))
            length = len(training.units(example.target.strip()))
            found.append(task.draft_of(example) or training.text(given[:length]))
        return found


class UnigramSample(Baseline):
    """As many units as the reference has, sampled independently from their frequencies in training targets."""

    name, title, needs_context = "unigram_sample", "unigram sample", False

    def texts(self, task: Task, examples: Sequence[Example]) -> list[str]:
        training, counts = training_of(task), {}
        for example in examples:
            if example.stratum not in counts:
                targets = (training.units(one.target.strip()) for one in training.alike(example))
                counts[example.stratum] = Counter(unit for target in targets for unit in target)
        found = []
        for example in examples:
            frequency, length = counts[example.stratum], len(training.units(example.target.strip()))
            drawn = random.Random(example.id).choices(list(frequency), list(frequency.values()), k=length)
            found.append(training.text(drawn))
        return found


class MajorityTarget(Baseline):
    """The most frequent training target, the first one of several."""

    name, title = "majority_target", "most frequent training target"

    def texts(self, task: Task, examples: Sequence[Example]) -> list[str]:
        training, found = training_of(task), {}
        for example in examples:
            if example.stratum not in found:
                targets = Counter(one.target.strip() for one in training.alike(example))
                found[example.stratum] = targets.most_common(1)[0][0]
        return [found[example.stratum] for example in examples]


class NearestExample(Baseline):
    """The target of the training example whose context is most similar (normalised Indel similarity, by rapidfuzz)."""

    name, title = "nearest_example", "nearest training example"

    def texts(self, task: Task, examples: Sequence[Example]) -> list[str]:
        training, known, found = training_of(task), {}, []
        for example in examples:
            alike = training.alike(example)
            if example.stratum not in known:
                known[example.stratum] = [context(one) for one in alike]
            _, _, place = process.extractOne(context(example), known[example.stratum], scorer=fuzz.ratio)
            found.append(alike[place].target.strip())
        return found


class OtherReference(Baseline):
    """The reference of the next item of the stratum that is of another instance; empty where there is none."""

    name, title, needs_training = "other_reference", "reference of another item", False

    def texts(self, task: Task, examples: Sequence[Example]) -> list[str]:
        strata = Training(examples, "").strata
        found = {}
        for items in strata.values():
            for place, example in enumerate(items):
                others = (one for one in (*items[place + 1 :], *items[:place]) if apart(one, example))
                found[example.id] = next((one.target.strip() for one in others), "")
        return [found[example.id] for example in examples]


def context(example: Example) -> str:
    return f"{example.prompt}\n{example.suffix}"


def apart(first: Example, second: Example) -> bool:
    return first.instance != second.instance or not first.instance
