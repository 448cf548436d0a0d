"""Latin squares: sixteen tokens, almost all of which depend on each other.

After ParallelBench (Kang et al., 2025). The task is to generate, row by row, a 4 x 4 square in which no row or column
repeats a symbol. All 576 squares are right answers, so that there are no instances to split.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache

import numpy as np

from tasks.base import Drawn, Example, Setting, Split, Theory
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

SIZE = 4
CELLS = SIZE * SIZE
SYMBOLS = "abcd"
Square = tuple[str, ...]

# Tolerances: how far a measured value may lie from the analytic one; where that is 1, on one side only.
ONE_BY_ONE_TOLERANCE = 0.05  # accuracy with one cell a pass: small errors add up over a square
SEVERAL_TOLERANCE = 0.04  # accuracy with several cells a pass
ONE_PASS_LOSS_TOLERANCE = 0.02  # nats a token
CHAIN_LOSS_TOLERANCE = 0.03  # nats a token, one cell a pass
GAP_TOLERANCE = 0.15  # bits of total correlation a square


class LatinSquare(Drawn):
    """Prompt: empty; target: sixteen symbols."""

    holes = "suffix"
    gated_by_oracle = True
    disjoint = False
    strata: Sequence[str] = ("latin_square",)
    metrics: Sequence[Metric] = (Accuracy(),)

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        for number in itertools.count(first):
            square = random.Random(f"{split}-{number}").choice(squares())
            yield Example(f"{split}-{number}", "", " ".join(square), stratum="latin_square")

    def vocabulary(self) -> Sequence[str]:
        return [*SYMBOLS]

    @cached_property
    def right(self) -> frozenset[str]:
        return frozenset(" ".join(square) for square in squares())

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 if the text is a Latin square."""
        return {"accuracy": float(text in self.right)}

    def nats(self, example: Example, text: str) -> float:
        return math.log(len(squares())) if text in self.right else math.inf

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        """Of an ideal model; for several cells a pass only in random order at temperature 1."""
        if setting.kind == "pseudo" or setting.measure in ("kl", "reverse_kl", "exact_nats_per_token"):
            return None
        if setting.measure == "gap_bits":
            return Theory((CELLS * math.log(SIZE) - math.log(len(squares()))) / math.log(2), GAP_TOLERANCE)
        if setting.threshold is not None or sum(setting.quotas) != CELLS:
            return None
        one_by_one, one_pass = max(setting.quotas) == 1, len(setting.quotas) == 1
        if setting.measure == "nats_per_token":
            if setting.kind == "bound" or one_by_one:
                return Theory(math.log(len(squares())) / CELLS, CHAIN_LOSS_TOLERANCE)
            return Theory(math.log(SIZE), ONE_PASS_LOSS_TOLERANCE) if one_pass else None
        if one_by_one:
            return Theory(1.0, ONE_BY_ONE_TOLERANCE)
        if setting.temperature != 1 or not (setting.order == "random" or one_pass):
            return None
        return Theory(independent_accuracy(setting.quotas), SEVERAL_TOLERANCE)


@lru_cache(maxsize=1)
def squares() -> list[Square]:
    """All 576 squares, in a fixed order."""
    rows = list(itertools.permutations(SYMBOLS))
    found: list[tuple[tuple[str, ...], ...]] = [()]
    for _ in range(SIZE):
        found = [
            (*above, row)
            for above in found
            for row in rows
            if all(new != old for other in above for new, old in zip(row, other, strict=True))
        ]
    return [tuple(itertools.chain(*square)) for square in found]


@lru_cache(maxsize=16)
def independent_accuracy(quotas: tuple[int, ...]) -> float:
    """Probability of a right square if each pass samples its cells independently, positions in random order.

    With y a square, S the cells already unmasked and A the cells of a pass, y has the probability prod p(y_i | y_S), i
    in A, averaged over ordered partitions into passes; p is the share of squares agreeing with y on S that agree on i
    too. It depends only on the isotopy class of y: 432 squares are like the cyclic group's table, 144 like Klein's.
    """
    cyclic = tuple(SYMBOLS[(row + column) % SIZE] for row in range(SIZE) for column in range(SIZE))
    klein = tuple(SYMBOLS[row ^ column] for row in range(SIZE) for column in range(SIZE))
    return 432 * chance_of(cyclic, quotas) + 144 * chance_of(klein, quotas)


def chance_of(square: Square, quotas: tuple[int, ...]) -> float:
    """The probability that this very square is generated; sets of cells are the bits of a number."""
    sets = np.arange(1 << CELLS)
    agreeing = np.zeros(1 << CELLS)
    for other in squares():
        agreeing[sum(1 << i for i in range(CELLS) if other[i] == square[i])] += 1
    for i in range(CELLS):  # from squares that agree on exactly these cells to squares that agree on these or more
        without = sets[(sets >> i) & 1 == 0]
        agreeing[without] += agreeing[without | 1 << i]
    sizes = sum((sets >> i) & 1 for i in range(CELLS))
    value, written = np.ones(1 << CELLS), CELLS
    for count in reversed(quotas):
        written -= count
        before = sets[sizes == written]
        total, ways = np.zeros(len(before)), math.comb(CELLS - written, count)
        for cells in itertools.combinations(range(CELLS), count):
            mask = sum(1 << i for i in cells)
            free = (before & mask) == 0
            chosen = before[free]
            chances = value[chosen | mask]
            for i in cells:
                chances = chances * agreeing[chosen | 1 << i] / agreeing[chosen]
            total[free] += chances / ways
        value = np.zeros(1 << CELLS)
        value[before] = total
    return float(value[0])
