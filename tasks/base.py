"""The task interface: examples as plain text, scores of generated texts, and analytic values where they are known."""

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
    """All characters of a task's texts, for tasks whose tokens are characters."""


@dataclass(frozen=True)
class Example:
    """One text to generate: `target` belongs between `prompt` and `suffix`.

    id: unique within a split.  references: the texts that metrics compare with.  stratum: the group whose results the
    example enters.  demands: the items that a text must express, for metrics that look for them.
    instance: the source of the example where several share one; these are then not independent.
    draft: the initial content of the masked positions, with as many tokens as the target; empty if they are masked.
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
    """A ratio, `part` of `whole` words of one text, whose terms are summed over texts before the division.

    A text whose `whole` is 0 has no value, rather than 0.
    """

    part: int
    whole: int


@dataclass(frozen=True)
class Setting:
    """How a run decoded its texts, as observed: everything that an analytic value may depend on.

    measure: "accuracy", "nats_per_token", "exact_nats_per_token" (where nats_per_token is a bound: the exact NLL under
    random order), "kl", "reverse_kl" or "gap_bits".  stratum: as in Example.
    quotas: positions unmasked in each pass, every position once.  order: how positions are chosen; None if the paradigm
    fixes it.  temperature: of sampling; 0 is greedy.  kind: of the likelihood, "exact", "bound" or "pseudo".
    threshold: the confidence from which on positions are unmasked together; None if their number is set instead.
    block: positions that training masks together, without the positions after them; None without blocks.
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
    """The analytic value of a measure, and how far from it an ideal model's measured value may lie.

    tolerance: absolute, in the measure's unit. Raises ValueError unless it is a finite positive number.
    """

    value: float
    tolerance: float

    def __post_init__(self) -> None:
        number = isinstance(self.tolerance, int | float) and not isinstance(self.tolerance, bool)
        if not number or not math.isfinite(self.tolerance) or self.tolerance <= 0:
            raise ValueError(f"tolerance={self.tolerance!r}: must be a finite positive number")


def split_of(instance: str) -> Split:
    """The split of an instance, by its hash: 90 % train, 5 % valid, 5 % test."""
    bucket = hashlib.blake2b(instance.encode(), digest_size=1).digest()[0]
    return "train" if bucket < 230 else "valid" if bucket < 243 else "test"


class Task(ABC):
    """A source of examples, and the verifier that scores generated texts."""

    holes: Holes
    """The shape of the masked positions: after the prompt (suffix), inside a text (span) or scattered."""

    shareable: ClassVar[bool]
    """Whether records may contain its texts; False where a licence may forbid it."""

    not_for_training: ClassVar[frozenset[str]]
    """Names of the settings that affect test data only."""

    hashed: ClassVar[frozenset[str]] = frozenset({"data"})
    """Names of the settings that matter only by what they make of the data, for which `data_hash` stands."""

    unsaid: ClassVar[Mapping[str, str]] = {}
    """Settings that older records lack, at the value that these then had: a run of this value is the same run."""

    fill_in_the_middle: bool = False
    """Whether the suffix is placed before the masked positions, after the prompt, for left-to-right paradigms."""

    joint: str | None = None
    """What stands between prompt, target and suffix where these are parts of one running text; None where they are
    separate texts."""

    splits: ClassVar[Sequence[Split]] = ("train", "valid", "test")
    """The splits that have examples. A task without training texts is for checkpoints that were trained elsewhere."""

    strata: Sequence[str]
    """The groups of its test examples."""

    metrics: Sequence[Metric]
    """The metrics of its texts; the first is the headline and comes first in the alphabet, as records sort names."""

    generated: ClassVar[bool]
    """Whether examples are endless, each generated from its number; otherwise they are a data set, read in epochs."""

    disjoint: ClassVar[bool] = False
    """Whether the task guarantees that no prompt and suffix of one split occur in another."""

    corpus: str = ""
    """The name of its corpus, in one word, where tasks of its class read several."""

    language: str = "en"
    """The language of its texts (ISO 639-1), for metrics that need it."""

    reads_when_built: ClassVar[bool] = False
    """Whether building the task already reads files or the network. Reports, whose records may come from anyone, build
    no such task."""

    asks_for_drafts: ClassVar[bool] = False
    """Whether decoding starts from a draft that the paradigm has generated beforehand."""

    gated_by_oracle: ClassVar[bool] = False
    """Whether a checkpoint counts as trained only if its accuracy at temperature 1 also meets the analytic values."""

    @abstractmethod
    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        """The examples of a split from number `first` on; the same ones in the same order at every call."""

    @abstractmethod
    def vocabulary(self) -> Sequence[str] | Alphabet | int:
        """All words if they are known and separated by spaces, or all characters; else the number of BPE pieces."""

    def texts(self) -> Iterable[str]:
        """The texts that BPE pieces are learned from: the training data."""
        for example in self.examples("train"):
            yield from (example.prompt, example.target, example.suffix)

    @abstractmethod
    def room(self, prompt_tokens: int) -> int | None:
        """The number of masked positions after a prompt of that many tokens, the end token included.

        None: as many as the target has tokens, and no end token is generated.
        """

    @abstractmethod
    def score(self, example: Example, text: str) -> Mapping[str, float | Share | None]:
        """The value of every metric that is not `of_sets` for one generated text, None where it is undefined."""

    def draft_of(self, example: Example) -> str:
        """The draft that a text is to revise; empty where there is none."""
        return example.draft

    @abstractmethod
    def nats(self, example: Example, text: str) -> float | None:
        """-ln of the text's probability under the data distribution; inf for an impossible text.

        None where that distribution is unknown.
        """

    @abstractmethod
    def conditionals(self, known: Sequence[str | None]) -> Sequence[Mapping[str, float]] | None:
        """The exact distribution of every word given the known ones (None: unknown); None where it is unavailable.

        Raises ValueError if the known words have probability 0.
        """

    @abstractmethod
    def theory(self, setting: Setting) -> Theory | None:
        """The analytic value for an ideal model, None where none is known."""

    @abstractmethod
    def data_hash(self) -> str:
        """Identifies all data of the task, independent of their location."""

    @abstractmethod
    def training_hash(self) -> str:
        """Identifies the data that training depends on."""

    def notes(self) -> Sequence[str]:
        """What a user has to know of the data before a run starts, in lines."""
        return ()


class Drawn(Task):
    """The shared part of tasks that sample endless examples, each from its number, with targets of known length."""

    generated = True
    shareable = True
    disjoint = True
    not_for_training: ClassVar[frozenset[str]] = frozenset()

    def room(self, prompt_tokens: int) -> None:
        return None

    def data_hash(self) -> str:
        return "generated"

    def training_hash(self) -> str:
        return "generated"


class OneAnswer(Drawn):
    """The shared part of sampled tasks in which every example has one right answer, its target."""

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 if the text is the answer."""
        return {"accuracy": float(text == example.target)}

    def nats(self, example: Example, text: str) -> float:
        return 0.0 if text == example.target else math.inf

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None
