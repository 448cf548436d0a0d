"""List operations: tasks on which the cost of sampling tokens independently is known exactly.

After ParallelBench (Kang et al., 2025). Given n distinct items and an operation, generate the resulting list. Copy,
reverse, sort, and replacing, inserting or removing at an index have one right answer. replace_random (replace any one
item by F) has n, and shuffle has n!, including the identity; dependent tokens that are sampled in the same pass are
wrong at a known rate.
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

# Tolerances: how far a measured value may lie from the analytic one; where that is 0 or 1, on one side only.
ONE_ANSWER_TOLERANCE = 0.03  # accuracy of operations with one right answer
ONE_BY_ONE_TOLERANCE = 0.05  # accuracy where tokens are not assumed independent: small errors add up over a text
NEVER_TOLERANCE = 0.02  # accuracy where a right answer is impossible
REPLACE_RANDOM_TOLERANCE = 0.03  # accuracy of replace_random, in one pass or in several
SHUFFLE_TOLERANCE = 0.03  # accuracy of shuffle in several passes
SHUFFLE_ONE_PASS_TOLERANCE = 0.008  # accuracy of shuffle in one pass, n! / n^n: 0.015 at n = 6
ONE_PASS_LOSS_TOLERANCE = 0.02  # nats a token
CHAIN_LOSS_TOLERANCE = 0.03  # nats a token, in several passes
GAP_TOLERANCE = 0.15  # bits of total correlation a text


class ListOperations(Drawn):
    """Prompt: the items, the operation, an index; target: the resulting items.

    n: items in a list.  alphabet: number of letters that items are sampled from.
    instruction: whether the operation precedes the answer or follows it, which makes the answer a span inside a text.
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
            raise ValueError(f"n={n}, alphabet={alphabet}: must give 100 lists or more, enough to split")
        self.n, self.letters, self.operations = n, LETTERS[:alphabet], tuple(operations)
        self.strata = self.operations
        self.holes = "span" if instruction == "after" else "suffix"

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless; operations alternate, and the hash of a list determines its split."""
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
        """accuracy: 1 if the text is one of the right answers, else 0."""
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
            return None  # for a uniform distribution nats_per_token is equivalent
        if setting.measure == "gap_bits":
            return Theory(total_correlation(setting.stratum, self.n), GAP_TOLERANCE)
        if setting.measure == "nats_per_token":
            return self.loss_theory(setting)
        if setting.measure == "exact_nats_per_token":
            return self.order_theory(setting)
        if setting.stratum in ONE_ANSWER:
            return Theory(1.0, ONE_ANSWER_TOLERANCE)
        if setting.threshold is not None:
            return self.threshold_theory(setting, setting.threshold)
        if setting.order not in (None, "random", "left_to_right") or sum(setting.quotas) != self.n:
            return None  # an order that depends on predictions changes the distribution
        formula = {"shuffle": shuffle_accuracy, "replace_random": replace_random_accuracy}[setting.stratum]
        value = formula(setting.quotas, setting.temperature)
        if value is None:
            return None
        if value in (0.0, 1.0):
            return Theory(value, NEVER_TOLERANCE if value == 0 else ONE_BY_ONE_TOLERANCE)
        if setting.stratum == "replace_random":
            return Theory(value, REPLACE_RANDOM_TOLERANCE)
        return Theory(value, SHUFFLE_ONE_PASS_TOLERANCE if len(setting.quotas) == 1 else SHUFFLE_TOLERANCE)

    def threshold_theory(self, setting: Setting, threshold: float) -> Theory | None:
        """Greedy decoding of all positions whose confidence reaches the threshold, where ties do not matter.

        With m masked positions left, the confidence is 1/m for shuffle and (m - 1)/m for replace_random.
        """
        if setting.temperature > 0 or setting.order != "confidence":
            return None
        if setting.stratum == "shuffle":
            return Theory(1.0, ONE_BY_ONE_TOLERANCE) if threshold > 1 / 2 else None
        surest = (self.n - 1) / self.n
        return Theory(1.0, ONE_BY_ONE_TOLERANCE) if threshold > surest else Theory(0.0, NEVER_TOLERANCE)

    def loss_theory(self, setting: Setting) -> Theory | None:
        """Cross-entropy of an ideal model's likelihood, nats a token.

        A bound averages over all orders of one position a pass; an exact value uses the passes that were made.
        """
        holes = self.n + LENGTHENS.get(setting.stratum, 0)
        if setting.kind == "bound":
            return Theory(chain_entropy(setting.stratum, [1] * holes) / holes, CHAIN_LOSS_TOLERANCE)
        if setting.order not in (None, "left_to_right") or sum(setting.quotas) != holes:
            return None
        nats = chain_entropy(setting.stratum, setting.quotas)
        return Theory(nats / holes, ONE_PASS_LOSS_TOLERANCE if len(setting.quotas) == 1 else CHAIN_LOSS_TOLERANCE)

    def order_theory(self, setting: Setting) -> Theory | None:
        """-ln p of a right answer over all orders, nats a token: by symmetry, all share the accuracy equally."""
        holes = self.n + LENGTHENS.get(setting.stratum, 0)
        formula = {"shuffle": shuffle_accuracy, "replace_random": replace_random_accuracy}.get(setting.stratum)
        if setting.temperature != 1 or sum(setting.quotas) != holes:
            return None
        right = 1.0 if formula is None else formula(setting.quotas, 1.0)
        answers = {"replace_random": self.n, "shuffle": math.factorial(self.n)}.get(setting.stratum, 1)
        return None if not right else Theory(math.log(answers / right) / holes, CHAIN_LOSS_TOLERANCE)


def shuffle_accuracy(quotas: Sequence[int], temperature: float) -> float | None:
    """prod over passes of P(m, k) / m^k, with k of m masked positions sampled in a pass: no item may occur twice.

    The distribution over the remaining items is uniform, so that temperature has no effect. None for greedy ties.
    """
    if temperature == 0 and max(quotas) > 1:
        return None
    left, value = sum(quotas), 1.0
    for count in quotas:
        value *= math.perm(left, count) / left**count
        left -= count
    return value


def replace_random_accuracy(quotas: Sequence[int], temperature: float) -> float | None:
    """P(exactly one F): until there is one, each of m masked positions takes it with the tempered probability 1/m.

    Greedy decoding is right only if the last pass has one position; two are a tie (None).
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
    """Cross-entropy of a text, nats, if `quotas` positions are unmasked a pass, independently within each pass."""
    left, nats = sum(quotas), 0.0
    for count in quotas:
        nats += count * hole_entropy(operation, left, sum(quotas))
        left -= count
    return nats


def total_correlation(operation: str, n: int) -> float:
    """C = sum_i H(y_i | x) - H(y | x), bits: the total correlation, which factorised sampling loses."""
    return (chain_entropy(operation, [n]) - chain_entropy(operation, [1] * n)) / math.log(2)


def hole_entropy(operation: str, left: int, n: int) -> float:
    """Expected entropy of the token of one position, nats, given `n - left` others, under the data distribution."""
    if operation == "shuffle":
        return math.log(left)
    if operation == "replace_random" and left > 1:
        # with probability left / n there is no F yet, and it is then here with probability 1 / left
        chance = 1 / left
        return left / n * -(chance * math.log(chance) + (1 - chance) * math.log(1 - chance))
    return 0.0
