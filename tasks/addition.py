"""Addition digit by digit: from the least digit on each carry is already known, from the most digit on it is not.

A run of carries determines how far ahead a model must look, so sums are grouped by their longest run of carries.
`longer` tests sums with more digits than those of training (Lee et al., 2023).
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Literal

from tasks.base import Example, OneAnswer, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

MOST_DIGITS = 12  # longer sums without a carry are too rare for rejection sampling
ONE_ANSWER_TOLERANCE = 0.05  # how far a measured accuracy may lie below the analytic value of 1
LOSS_TOLERANCE = 0.03  # and a measured likelihood above that of 0, nats a token
RUNS = {"carry_0": range(1), "carry_1_2": range(1, 3), "carry_3_up": range(3, 1000)}  # by the longest run


class Addition(OneAnswer):
    """Prompt: two numbers of equally many digits; target: their sum, with one digit more.

    digits: of the numbers.  first: the digit that the target starts with.  longer: additional digits in the test split.
    """

    holes = "suffix"
    not_for_training = frozenset({"longer"})
    strata: Sequence[str] = tuple(RUNS)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, digits: int, first: Literal["most", "least"], longer: int):
        if digits < 3 or longer < 0 or digits + longer > MOST_DIGITS:
            raise ValueError(f"digits={digits}, longer={longer}: must be from 3 to {MOST_DIGITS} digits in all")
        self.digits, self.first, self.longer = digits, first, longer

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless; strata alternate, so that long runs are not rare, and the hash of a pair determines its split."""
        digits = self.digits + (self.longer if split == "test" else 0)
        for number in itertools.count(first):
            run = self.strata[number % len(self.strata)]
            rng = random.Random(f"{split}-{number}")
            while True:
                a, b = (rng.randrange(10**digits) for _ in range(2))
                if longest_run(a, b) in RUNS[run] and split_of(f"{a} {b}") == split:
                    break
            prompt = f"{spaced(a, digits)} + {spaced(b, digits)} ="
            total = spaced(a + b, digits + 1)
            yield Example(f"{split}-{number}", prompt, total if self.first == "most" else total[::-1], stratum=run)

    def vocabulary(self) -> Sequence[str]:
        return [*"0123456789", "+", "="]

    def theory(self, setting: Setting) -> Theory | None:
        """An ideal model gives the one right answer at the lengths of training; at others no value is known."""
        if self.longer or setting.kind == "pseudo":
            return None
        if setting.measure in ("nats_per_token", "exact_nats_per_token"):
            return Theory(0.0, LOSS_TOLERANCE)
        return Theory(1.0, ONE_ANSWER_TOLERANCE) if setting.measure == "accuracy" else None


def spaced(number: int, digits: int) -> str:
    return " ".join(f"{number:0{digits}d}")


def longest_run(a: int, b: int) -> int:
    """The length of the longest run of adjacent digits that produce a carry."""
    longest = run = carry = 0
    while a or b:
        carry = (a % 10 + b % 10 + carry) // 10
        run = run + 1 if carry else 0
        longest, a, b = max(longest, run), a // 10, b // 10
    return longest
