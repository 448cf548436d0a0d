"""Formal languages with a known distribution: a text is scored by whether it is possible, a model by its divergence.

Token-level and sequence-level quality differ here: a model may be close to the true distribution of each symbol and
still generate texts outside the language (after Feng et al., 2025).
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

# Tolerances: how far a measured value may lie from the analytic one, of every language; accuracy of 1 on one side only.
ONE_BY_ONE_TOLERANCE = 0.05  # accuracy with one symbol a pass: small errors add up over a text
ONE_PASS_TOLERANCE = 0.03  # accuracy in a single pass
LOSS_TOLERANCE = 0.02  # nats a token
KL_TOLERANCE = 0.02  # nats a token, forward and reverse
GAP_TOLERANCE = 0.15  # bits of total correlation a text

LawT = TypeVar("LawT", bound=Chain | Strings)


class Language(Drawn, Generic[LawT]):
    """Prompt: empty; target: n symbols sampled from the distribution `chain`.  law: seed of the examples."""

    holes = "suffix"
    disjoint = False
    strata: Sequence[str] = ("all",)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, chain: LawT, law: int):
        if chain.n < 2:
            raise ValueError(f"n={chain.n}: must be at least 2")
        self.chain, self.n, self.law = chain, chain.n, law

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless samples, a separate stream for each split; splits may share texts, as all follow one distribution."""
        for number in itertools.count(first):
            ids = self.chain.draw(random.Random(f"{self.law}-{split}-{number}"))
            yield Example(f"{split}-{number}", "", " ".join(f"s{i}" for i in ids), stratum="all")

    def vocabulary(self) -> Sequence[str]:
        return [f"s{i}" for i in range(self.chain.symbols)]

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 if the text has positive probability."""
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
        """Total correlation C, nats: what factorised sampling of all symbols loses."""
        return self.chain.marginal_entropy - self.chain.entropy

    def theory(self, setting: Setting) -> Theory | None:
        """Of an ideal model that generates one symbol a pass, or all in one; otherwise only of likelihood bounds."""
        one_by_one, one_pass = set(setting.quotas) == {1}, len(setting.quotas) == 1
        if setting.kind == "pseudo" or not (one_by_one or one_pass or setting.kind == "bound"):
            return None
        at_once = one_pass and setting.kind == "exact"
        if setting.measure == "exact_nats_per_token":
            nats = self.chain.entropy if one_by_one else self.chain.marginal_entropy
            known = setting.temperature == 1 and (one_by_one or one_pass)
            return Theory(nats / self.n, LOSS_TOLERANCE) if known else None
        if setting.measure == "reverse_kl":
            return Theory(0.0, KL_TOLERANCE) if one_by_one and setting.temperature == 1 else None
        match setting.measure:
            case "gap_bits":
                return Theory(self.lost / math.log(2), GAP_TOLERANCE)
            case "kl":
                return Theory(self.lost / self.n if at_once else 0.0, KL_TOLERANCE)
            case "nats_per_token":
                return Theory((self.chain.marginal_entropy if at_once else self.chain.entropy) / self.n, LOSS_TOLERANCE)
        if setting.temperature != 1 or setting.order not in (None, "random", "left_to_right"):
            return None
        if one_by_one:
            return Theory(1.0, ONE_BY_ONE_TOLERANCE)
        return Theory(self.chain.valid_at_once, ONE_PASS_TOLERANCE) if one_pass else None
