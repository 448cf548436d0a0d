"""Short lists, simple orders: the tasks on which the price of writing tokens independently is known exactly.

After ParallelBench (Kang et al., 2025). Given n distinct items and an operation, write the resulting list. Copy,
reverse, sort, and replacing, inserting or removing at an index have one right answer. replace_random (replace any one
item by F) has n, shuffle has n!, the identity among them; written together, tokens that depend on each other go wrong
at a rate known in advance.
"""

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from tasks.base import Drawn, Example, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

FILLER, NO_INDEX = "F", "-"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
Operation = Literal["copy", "reverse", "sort", "replace_index", "insert", "remove", "replace_random", "shuffle"]
INDEXED = ("replace_index", "insert", "remove")
ONE_ANSWER = ("copy", "reverse", "sort", *INDEXED)
LENGTHENS = {"insert": 1, "remove": -1}


class ListOperations(Drawn):
    """Prompt: the items, the operation, an index; target: the resulting items.

    n: items in a list.  alphabet: letters they are drawn from.
    instruction: where the operation stands; "after" the answer makes the answer a hole inside a text.
    """

    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(
        self,
        n: int,
        alphabet: int,
        operations: Sequence[Operation],
        instruction: Literal["before", "after"],
    ):
        if not 2 <= n <= alphabet <= len(LETTERS):
            raise ValueError(f"n={n}, alphabet={alphabet}: must be 2 <= n <= alphabet <= {len(LETTERS)}")
        if not operations or len(set(operations)) < len(operations):
            raise ValueError(f"operations={list(operations)}: must name at least one, and none twice")
        if math.perm(alphabet, n) < 100:
            raise ValueError(f"n={n}, alphabet={alphabet}: gives fewer than 100 lists, too few to split")
        self.n, self.letters, self.operations = n, LETTERS[:alphabet], tuple(operations)
        self.strata = self.operations
        self.holes = "span" if instruction == "after" else "suffix"

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless, operations in turn; which split a list belongs to is a hash of the list."""
        for number in itertools.count(first):
            yield self.example(split, *divmod(number, len(self.operations)))

    def example(self, split: Split, number: int, turn: int) -> Example:
        operation = self.operations[turn]
        name = f"{operation}-{number}" if split == "test" else f"{split}-{operation}-{number}"
        rng = random.Random(f"{name}")
        items = rng.sample(self.letters, self.n)
        while split_of("".join(items)) != split:
            items = rng.sample(self.letters, self.n)
        index = rng.randrange(self.n)
        words = [*items]
        instruction = f"{operation} {index + 1 if operation in INDEXED else NO_INDEX}"
        match operation:
            case "reverse":
                words.reverse()
            case "sort":
                words.sort()
            case "replace_index" | "replace_random":
                words[index] = FILLER
            case "insert":
                words.insert(index, FILLER)
            case "remove":
                del words[index]
            case "shuffle":
                rng.shuffle(words)
        prompt, suffix = f"{' '.join(items)} {instruction}", ""
        if self.holes == "span":
            prompt, suffix = " ".join(items), instruction
        return Example(name, prompt, " ".join(words), suffix, stratum=operation)

    def vocabulary(self) -> Sequence[str]:
        return [*self.letters, FILLER, *self.operations, *(str(i + 1) for i in range(self.n)), NO_INDEX]

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 where the text is in the set of right answers, else 0."""
        words, items = text.split(), f"{example.prompt} {example.suffix}".split()[: self.n]
        match example.stratum:
            case "replace_random":
                right = len(words) == self.n
                right &= [new for old, new in zip(items, words, strict=False) if old != new] == [FILLER]
            case "shuffle":
                right = Counter(words) == Counter(items)
            case _:
                right = text == example.target
        return {"accuracy": float(right)}

    def nats(self, example: Example, text: str) -> float:
        answers = {"replace_random": self.n, "shuffle": math.factorial(self.n)}.get(example.stratum, 1)
        return math.log(answers) if self.score(example, text)["accuracy"] else math.inf

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        if setting.kind == "pseudo" or setting.measure in ("kl", "reverse_kl"):
            return None  # of a uniform law nats_per_token says as much
        if setting.measure == "gap_bits":
            return Theory(total_correlation(setting.stratum, self.n), "gap_bits")
        if setting.measure == "nats_per_token":
            return self.loss_theory(setting)
        if setting.measure == "exact_nats_per_token":
            return self.order_theory(setting)
        if setting.stratum in ONE_ANSWER:
            return Theory(1.0, "one_answer")
        if setting.threshold is not None:
            return self.threshold_theory(setting, setting.threshold)
        if setting.order not in (None, "random", "left_to_right") or sum(setting.quotas) != self.n:
            return None  # an order that looks at what was predicted changes the law
        formula = {"shuffle": shuffle_accuracy, "replace_random": replace_random_accuracy}[setting.stratum]
        value = formula(setting.quotas, setting.temperature)
        if value is None:
            return None
        if value in (0.0, 1.0):
            return Theory(value, "never" if value == 0 else "no_independence_assumed")
        one_pass = "_one_pass" if len(setting.quotas) == 1 else ""
        return Theory(value, f"{setting.stratum}{one_pass}")

    def threshold_theory(self, setting: Setting, threshold: float) -> Theory | None:
        """Greedy, every hole at least as sure as the threshold at once: what can be said without knowing how ties fall.

        With m holes left a shuffled item is 1/m sure, and an item that may be replaced (m - 1)/m.
        """
        if setting.temperature > 0 or setting.order != "confidence":
            return None
        if setting.stratum == "shuffle":
            return Theory(1.0, "no_independence_assumed") if threshold > 1 / 2 else None
        surest = (self.n - 1) / self.n
        return Theory(1.0, "no_independence_assumed") if threshold > surest else Theory(0.0, "never")

    def loss_theory(self, setting: Setting) -> Theory | None:
        """Cross-entropy of the true law, nats a token, of texts written as the likelihood says they are.

        A bound is taken over all orders one hole at a time; an exact value over the passes that were made.
        """
        holes = self.n + LENGTHENS.get(setting.stratum, 0)
        if setting.kind == "bound":
            return Theory(chain_entropy(setting.stratum, [1] * holes) / holes, "chain_loss")
        if setting.order not in (None, "left_to_right") or sum(setting.quotas) != holes:
            return None
        nats = chain_entropy(setting.stratum, setting.quotas)
        return Theory(nats / holes, "one_pass_loss" if len(setting.quotas) == 1 else "chain_loss")

    def order_theory(self, setting: Setting) -> Theory | None:
        """-ln p of a right answer, orders summed over: all are alike, so each has its share of the accuracy."""
        holes = self.n + LENGTHENS.get(setting.stratum, 0)
        formula = {"shuffle": shuffle_accuracy, "replace_random": replace_random_accuracy}.get(setting.stratum)
        if setting.temperature != 1 or sum(setting.quotas) != holes:
            return None
        right = 1.0 if formula is None else formula(setting.quotas, 1.0)
        answers = {"replace_random": self.n, "shuffle": math.factorial(self.n)}.get(setting.stratum, 1)
        return None if not right else Theory(math.log(answers / right) / holes, "chain_loss")


def shuffle_accuracy(quotas: Sequence[int], temperature: float) -> float | None:
    """prod over passes of P(m, k) / m^k, k holes written while m are left: no item may be drawn twice.

    The law over what is left is uniform, so temperature does not change it; greedy ties have no theory.
    """
    if temperature == 0 and max(quotas) > 1:
        return None
    left, value = sum(quotas), 1.0
    for count in quotas:
        value *= math.perm(left, count) / left**count
        left -= count
    return value


def replace_random_accuracy(quotas: Sequence[int], temperature: float) -> float | None:
    """Exactly one F: while none is written each of m holes left takes it with probability 1/m, tempered.

    Greedy, only a last pass of one hole is sure of it, and one of two is a tie.
    """
    if temperature == 0:
        return {1: 1.0, 2: None}.get(quotas[-1], 0.0)
    left, none_yet, value = sum(quotas), 1.0, 0.0
    for count in quotas:
        odds = (1 / left) ** (1 / temperature), (1 - 1 / left) ** (1 / temperature)
        chance = odds[0] / sum(odds)
        value += none_yet * count * chance * (1 - chance) ** (count - 1)
        none_yet *= (1 - chance) ** count
        left -= count
    return value


def chain_entropy(operation: str, quotas: Sequence[int]) -> float:
    """Nats of a text whose holes are written so many at a time, each pass as if its holes were independent."""
    left, nats = sum(quotas), 0.0
    for count in quotas:
        nats += count * hole_entropy(operation, left, sum(quotas))
        left -= count
    return nats


def total_correlation(operation: str, n: int) -> float:
    """C = sum_i H(y_i | x) - H(y | x), bits: what is lost when all holes are written at once."""
    return (chain_entropy(operation, [n]) - chain_entropy(operation, [1] * n)) / math.log(2)


def hole_entropy(operation: str, left: int, n: int) -> float:
    """Entropy of one hole's token, nats, given that `n - left` others are written, averaged over the true law."""
    if operation == "shuffle":
        return math.log(left)
    if operation == "replace_random" and left > 1:
        # with probability left / n the F is still to come, and then it is here with probability 1 / left
        chance = 1 / left
        return left / n * -(chance * math.log(chance) + (1 - chance) * math.log(1 - chance))
    return 0.0
