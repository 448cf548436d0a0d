"""Countdown: reach a goal by arithmetic on given numbers, where the first equation must already suit the last.

After Gandhi et al. (2024) and Ye et al. (2025). Every operand is used exactly once, and so is every result but the
last, which is the goal. A number is one token, from 0 to `largest`. The right answers are not enumerated: a text is
right if its arithmetic is.
"""

import itertools
import random
from collections.abc import Iterator, Sequence

from tasks.base import Drawn, Example, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

OPERATIONS = "+-*/"
LARGEST = 1_000_000  # operand: results must be tokens of digits
EQUATION = 6  # tokens: a number, an operation, a number, "=", the result and a comma, which the last equation lacks
ONE_BY_ONE_TOLERANCE = 0.05  # how far a measured accuracy may lie below the analytic value of 1: small errors add up
Equation = tuple[int, str, int, int]


class Countdown(Drawn):
    """Prompt: the operands, "=" and the goal; target: equations, one fewer than there are operands.

    numbers: operands of a problem.  largest: the greatest operand, result or goal.
    """

    holes = "suffix"
    gated_by_oracle = True
    strata: Sequence[str] = ("countdown",)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, numbers: int, largest: int):
        if not 3 <= numbers <= 5 or not 10 <= largest <= LARGEST:  # smaller numbers give too few problems to split
            raise ValueError(
                f"numbers={numbers}, largest={largest}: must be from 3 to 5 numbers, and from 10 to {LARGEST:,}"
            )
        self.numbers, self.largest = numbers, largest

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless; the hash of a problem's sorted operands and goal determines its split."""
        for number in itertools.count(first):
            rng = random.Random(f"{split}-{number}")
            while True:
                operands = [rng.randint(1, self.largest) for _ in range(self.numbers)]
                equations = self.draw(operands, rng)
                goal = equations[-1][-1]
                if split_of(f"{sorted(operands)} {goal}") == split:
                    break
            prompt = f"{' '.join(map(str, operands))} = {goal}"
            target = " , ".join(f"{a} {operation} {b} = {result}" for a, operation, b, result in equations)
            yield Example(f"{split}-{number}", prompt, target, stratum="countdown")

    def draw(self, operands: Sequence[int], rng: random.Random) -> list[Equation]:
        """Equations that each combine two available numbers into one, until a single number is left.

        The operation is sampled first, among the possible ones, so that products are not even rarer. One is always
        possible: the smaller number can be subtracted from the greater.
        """
        hand: list[int] = [*operands]
        equations: list[Equation] = []
        while len(hand) > 1:
            possible = [
                [
                    (a, operation, b, result)
                    for a, b in itertools.permutations(hand, 2)
                    if (result := self.result(a, operation, b)) is not None
                ]
                for operation in OPERATIONS
            ]
            a, operation, b, result = rng.choice(rng.choice([ways for ways in possible if ways]))
            hand.remove(a)
            hand.remove(b)
            hand.append(result)
            equations.append((a, operation, b, result))
        return equations

    def result(self, a: int, operation: str, b: int) -> int | None:
        """The result; None if there is no such operation or the result is no integer from 0 to `largest`."""
        whole = b > 0 and a % b == 0
        made = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if whole else -1}.get(operation, -1)
        return made if 0 <= made <= self.largest else None

    def vocabulary(self) -> Sequence[str]:
        return [*map(str, range(self.largest + 1)), *OPERATIONS, "=", ","]

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 if the equations reach the goal from the operands, else 0."""
        *operands, _, goal = example.prompt.split()
        return {"accuracy": float(self.leaves(operands, text) == [goal])}

    def leaves(self, operands: Sequence[str], text: str) -> list[str] | None:
        """The numbers left by the equations; None if one is malformed, wrong, or uses an unavailable number."""
        hand, words = [*operands], [*text.split(" "), ","]
        if len(words) % EQUATION:
            return None
        for first in range(0, len(words), EQUATION):
            a, operation, b, equals, said, comma = words[first : first + EQUATION]
            for used in (a, b):
                if used not in hand:
                    return None
                hand.remove(used)
            result = self.result(int(a), operation, int(b))  # both were available, so both are numbers
            if result is None or (equals, said, comma) != ("=", str(result), ","):
                return None
            hand.append(said)
        return hand

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        """With one token a pass, every sampled token is possible given the others, so that the text is right."""
        one_by_one = set(setting.quotas) == {1} and setting.threshold is None
        if setting.measure != "accuracy" or setting.kind == "pseudo" or not one_by_one:
            return None
        return Theory(1.0, ONE_BY_ONE_TOLERANCE)
