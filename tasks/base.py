"""What a task must say: its examples as plain text, how a written text is judged, what theory demands of the judge."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from tasks.metrics.base import Metric

Split = Literal["train", "valid", "test"]
Holes = Literal["suffix", "span", "scattered"]


class Alphabet(tuple[str, ...]):
    """All characters of a task's texts, where they are what a text is written in."""


@dataclass(frozen=True)
class Example:
    """One thing to write: `target` goes between `prompt` and `suffix`.

    references: all texts a metric compares with.  stratum: the group in which the example is counted.
    demands: what a text must say, one by one, for metrics that look for it.
    instance: what it was made from, where several examples share that; they are then not independent.
    draft: what stands in the holes at first, where they are not empty: as many tokens as the target has.
    """

    id: str
    prompt: str
    target: str
    suffix: str = ""
    references: tuple[str, ...] = ()
    stratum: str = ""
    instance: str = ""
    draft: str = ""
    demands: tuple[str, ...] = ()


class Share(NamedTuple):
    """Of one text's `whole` words so many, `part`: what is summed over texts before it is divided.

    A text without any such word has no share, and no value rather than 0.
    """

    part: int
    whole: int


@dataclass(frozen=True)
class Setting:
    """How a cell wrote its texts, as observed: what theory may depend on.

    measure: "accuracy", "nats_per_token", "exact_nats_per_token" (behind a bound, of the law in random order), "kl",
    "reverse_kl" or "gap_bits".  stratum: as in Example.
    quotas: holes written in each pass, every hole once.  order: how positions are chosen; None where the paradigm
    leaves no choice.  temperature: of the draw; 0 is greedy.  kind: of the likelihood.  threshold: the confidence from
    which on holes are written together, however many; None where a number says how many.  block: holes that training
    hides together, never shown what follows them; None where nothing parts them.
    """

    measure: str
    stratum: str
    quotas: tuple[int, ...]
    order: str | None
    temperature: float
    kind: str
    threshold: float | None = None
    block: int | None = None


@dataclass(frozen=True)
class Theory:
    """The exact value, and the name under which conf/tolerances.yaml keeps its tolerance."""

    value: float
    tolerance: str


def split_of(instance: str) -> Split:
    """By a hash of what an example is made from: of ten nine are for training, of the rest half are for validation."""
    bucket = hashlib.blake2b(instance.encode(), digest_size=1).digest()[0]
    return "train" if bucket < 230 else "valid" if bucket < 243 else "test"


class Task(ABC):
    """A source of examples and their judge."""

    holes: Holes
    """The hole shape it asks for."""

    shareable: ClassVar[bool]
    """May its texts be copied into records? False where the data's licence says no."""

    not_for_training: ClassVar[frozenset[str]]
    """Names of its settings that choose test data only."""

    fill_in_the_middle: bool = False
    """Is a suffix laid before the holes, behind the prompt, for paradigms that only write to the right?"""

    strata: Sequence[str]
    """The groups its examples fall into."""

    metrics: Sequence[Metric]
    """The first is the headline."""

    generated: ClassVar[bool]
    """Training examples never end and are made from their number; otherwise they are a data set, read in epochs."""

    corpus: str = ""
    """The set its texts come from, in a word, where tasks of its kind read several."""

    language: str = "en"
    """Of its texts, in two letters, for metrics that ask."""

    asks_for_drafts: ClassVar[bool] = False
    """Does every text start from a draft that the paradigm is to write itself beforehand?"""

    @abstractmethod
    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        """The same examples in the same order at every call, from number `first` on."""

    @abstractmethod
    def vocabulary(self) -> Sequence[str] | Alphabet | int:
        """All words, where they are known and stand between spaces, or all characters; else how many pieces."""

    def texts(self) -> Iterable[str]:
        """What pieces are learned from: the training data."""
        for example in self.examples("train"):
            yield from (example.prompt, example.target, example.suffix)

    @abstractmethod
    def room(self, prompt_tokens: int) -> int | None:
        """How many tokens a target may have, its end included, after a prompt of that many tokens.

        None: the holes are as many as the target has tokens, and nobody writes an end.
        """

    @abstractmethod
    def score(self, example: Example, text: str) -> Mapping[str, float | Share | None]:
        """Every metric's value for one written text, None without one; but of those that judge it among others."""

    @abstractmethod
    def nats(self, example: Example, text: str) -> float | None:
        """-ln of the text's probability under the law the examples are drawn from; inf where it is impossible.

        None where nobody knows that law.
        """

    @abstractmethod
    def conditionals(self, known: Sequence[str | None]) -> Sequence[Mapping[str, float]] | None:
        """The exact law of every word given the known others; None where nobody knows it.

        Raises ValueError where what is known is impossible.
        """

    @abstractmethod
    def theory(self, setting: Setting) -> Theory | None:
        """The exact value of a perfectly trained model, where one is known."""

    @abstractmethod
    def data_hash(self) -> str:
        """Identifies all its data, wherever they lie."""

    @abstractmethod
    def training_hash(self) -> str:
        """Identifies the data that shape training."""


class Drawn(Task):
    """What tasks share whose examples are drawn without end, each from its number, into targets of known length."""

    generated = True
    shareable = True
    not_for_training: ClassVar[frozenset[str]] = frozenset()

    def room(self, prompt_tokens: int) -> None:
        return None

    def data_hash(self) -> str:
        return "generated"

    def training_hash(self) -> str:
        return "generated"


class OneAnswer(Drawn):
    """Of these, tasks whose every example has one right answer, its target."""

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 where the text is the answer."""
        return {"accuracy": float(text == example.target)}

    def nats(self, example: Example, text: str) -> float:
        return 0.0 if text == example.target else math.inf

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None
