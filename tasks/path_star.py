"""Path-star graphs: the arm that leads to the goal is only known once it has been followed to its end.

After Bachmann and Nagarajan (2024) and Frydenlund (2024). G(d, l) has d paths of l nodes that share their first node.
Given the edges, start and goal, the task is to generate the path. With teacher forcing, a left-to-right model learns to
follow an arm that it never had to choose; from the goal backwards, or in any order, there is no choice.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Literal

from tasks.base import Example, OneAnswer, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

# Tolerances: how far a measured accuracy may lie from the analytic value.
MOST_NAMES = 10_000  # in the vocabulary
GUESSED_TOLERANCE = 0.03  # around 1 / arms, where the arm is a guess
FOLLOWED_TOLERANCE = 0.05  # below 1, where the path can be followed


class PathStar(OneAnswer):
    """Prompt: the edges in random order, the start and the goal; target: the l nodes of the path.

    arms, length: d and l.  names: number of names that nodes are sampled from.  target: from the start, or reversed.
    query: whether start and goal follow the edges or precede them.  shuffle: single edges, or whole arms.
    """

    holes = "suffix"
    gated_by_oracle = True
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(
        self,
        arms: int,
        length: int,
        names: int,
        target: Literal["forward", "reversed"],
        query: Literal["last", "first"],
        shuffle: Literal["edges", "arms"],
    ):
        nodes = 1 + arms * (length - 1)
        if arms < 2 or length < 3 or not nodes <= names <= MOST_NAMES:
            least = f"at least 2 arms, a length of 3 and {nodes} names, at most {MOST_NAMES:,}"
            raise ValueError(f"arms={arms}, length={length}, names={names}: must be {least}")
        self.arms, self.length, self.names, self.nodes = arms, length, names, nodes
        self.target, self.query, self.shuffle = target, query, shuffle
        self.strata: Sequence[str] = (target,)

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless; the hash of a graph's list of nodes determines its split."""
        for number in itertools.count(first):
            rng = random.Random(f"{split}-{number}")
            while True:
                nodes = [str(node) for node in rng.sample(range(self.names), self.nodes)]
                if split_of(" ".join(nodes)) == split:
                    break
            yield self.example(f"{split}-{number}", nodes, rng)

    def example(self, name: str, nodes: Sequence[str], rng: random.Random) -> Example:
        start, size = nodes[0], self.length - 1
        paths = [[start, *nodes[1 + arm * size : 1 + (arm + 1) * size]] for arm in range(self.arms)]
        path = paths[0]
        rng.shuffle(paths)
        edges = [pair for arm in paths for pair in itertools.pairwise(arm)]
        if self.shuffle == "edges":
            rng.shuffle(edges)
        asked, drawn = f"/ {start} {path[-1]} /", " ".join(f"{a} {b} |" for a, b in edges)
        prompt = f"{drawn} {asked}" if self.query == "last" else f"{asked} {drawn}"
        written = path if self.target == "forward" else path[::-1]
        return Example(name, prompt, " ".join(written), stratum=self.target)

    def vocabulary(self) -> Sequence[str]:
        return ["|", "/", *map(str, range(self.names))]

    def theory(self, setting: Setting) -> Theory | None:
        """Left to right the arm is a guess, for every l; other orders can be right; for blocks no value is known."""
        one_by_one = set(setting.quotas) == {1}
        if setting.measure != "accuracy" or setting.kind == "pseudo" or setting.temperature > 0 or not one_by_one:
            return None
        if setting.block:
            return None
        if setting.kind == "exact" and setting.order is None and self.target == "forward":
            return Theory(1 / self.arms, GUESSED_TOLERANCE)
        return Theory(1.0, FOLLOWED_TOLERANCE)
