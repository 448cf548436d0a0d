"""A language whose exact law is known: texts are judged by whether they are possible at all, models by their law.

The quality of single tokens and that of whole texts come apart here: a model may be near the true law symbol by symbol
and still write texts that the language does not have (after Feng et al., 2025).
"""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from tasks.base import Drawn, Example, Setting, Split, Theory
from tasks.chain import Chain
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric
from tasks.strings import Strings

LawT = TypeVar("LawT", bound=Chain | Strings)


class Language(Drawn, Generic[LawT]):
    """Prompt: nothing; target: n symbols drawn from a law."""

    holes = "suffix"
    strata: Sequence[str] = ("all",)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, chain: LawT, law: int):
        if chain.n < 2:
            raise ValueError(f"n={chain.n}: must be at least 2")
        self.chain, self.n, self.law = chain, chain.n, law

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless draws; every split has a stream of its own, for a language has no instances to keep apart."""
        for number in itertools.count(first):
            ids = self.chain.draw(random.Random(f"{self.law}-{split}-{number}"))
            yield Example(f"{split}-{number}", "", " ".join(f"s{i}" for i in ids), stratum="all")

    def vocabulary(self) -> Sequence[str]:
        return [f"s{i}" for i in range(self.chain.symbols)]

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 where the language has the text."""
        return {"accuracy": float(math.isfinite(self.nats(example, text)))}

    def nats(self, example: Example, text: str) -> float:
        known = {word: i for i, word in enumerate(self.vocabulary())}
        ids = [known.get(word, -1) for word in text.split()]
        return math.inf if len(ids) != self.n or -1 in ids else self.chain.nats(ids)

    def conditionals(self, known: Sequence[str | None]) -> Sequence[Mapping[str, float]]:
        words = list(self.vocabulary())
        law_NV = self.chain.infill_law([None if word is None else words.index(word) for word in known])
        return [dict(zip(words, law_V.tolist(), strict=True)) for law_V in law_NV]

    @cached_property
    def lost(self) -> float:
        """C, nats: what is lost when all symbols are written at once."""
        return self.chain.marginal_entropy - self.chain.entropy

    def theory(self, setting: Setting) -> Theory | None:
        one_by_one, one_pass = set(setting.quotas) == {1}, len(setting.quotas) == 1
        if setting.kind == "pseudo" or not (one_by_one or one_pass or setting.kind == "bound"):
            return None
        at_once = one_pass and setting.kind == "exact"
        if setting.measure == "exact_nats_per_token":
            nats = self.chain.entropy if one_by_one else self.chain.marginal_entropy
            known = setting.temperature == 1 and (one_by_one or one_pass)
            return Theory(nats / self.n, "loss") if known else None
        if setting.measure == "reverse_kl":
            return Theory(0.0, "kl") if one_by_one and setting.temperature == 1 else None
        match setting.measure:
            case "gap_bits":
                return Theory(self.lost / math.log(2), "gap_bits")
            case "kl":
                return Theory(self.lost / self.n if at_once else 0.0, "kl")
            case "nats_per_token":
                return Theory((self.chain.marginal_entropy if at_once else self.chain.entropy) / self.n, "loss")
        if setting.temperature != 1 or setting.order not in (None, "random", "left_to_right"):
            return None
        if one_by_one:
            return Theory(1.0, "no_independence_assumed")
        return Theory(self.chain.valid_at_once, "valid_at_once") if one_pass else None
