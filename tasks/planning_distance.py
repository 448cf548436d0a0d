"""Two chains that cross: the distance from the crossing to the goal is the look-ahead needed to leave it correctly.

The minimal planning task of Ye et al. (2025). The chains have equally many nodes before the crossing, and equally many
after it, so that only following them shows which way leads to the goal. The numbers of edges and of path nodes do not
depend on where they cross: distances differ in nothing else.
"""

import itertools
import random
from collections.abc import Iterator, Sequence

from tasks.base import Example, OneAnswer, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

MOST_NAMES = 10_000  # in the vocabulary
FOLLOWED_TOLERANCE = 0.05  # how far a measured accuracy may lie below the analytic value of 1


class PlanningDistance(OneAnswer):
    """Prompt: the edges in random order, the start and the goal; target: the nodes of the path.

    length: nodes of a chain.  names: number of names that nodes are sampled from.
    A distance is the number of edges from the crossing to the goal; at the greatest, the chains cross at the start.
    """

    holes = "suffix"
    gated_by_oracle = True
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, length: int, names: int):
        nodes = 2 * length - 1
        if length < 4 or not nodes <= names <= MOST_NAMES:  # shorter chains give too few graphs to split
            least = f"at least a length of 4 and {nodes} names, at most {MOST_NAMES:,}"
            raise ValueError(f"length={length}, names={names}: must be {least}")
        self.length, self.names, self.nodes = length, names, nodes
        self.strata: Sequence[str] = tuple(f"distance_{distance}" for distance in range(1, length))

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless; distances alternate, and the hash of a graph's sorted edges determines its split."""
        for number in itertools.count(first):
            turn = number % len(self.strata)
            rng = random.Random(f"{split}-{number}")
            while True:
                path, other = self.crossing(1 + turn, rng)
                edges = [f"{a} {b} |" for chain in (path, other) for a, b in itertools.pairwise(chain)]
                if split_of(" ".join(sorted(edges))) == split:
                    break
            rng.shuffle(edges)
            prompt = f"{' '.join(edges)} / {path[0]} {path[-1]} /"
            yield Example(f"{split}-{number}", prompt, " ".join(path), stratum=self.strata[turn])

    def crossing(self, distance: int, rng: random.Random) -> tuple[list[str], list[str]]:
        """The path and the other chain; the node that they share is `distance` edges before the end of both."""
        nodes = [str(node) for node in rng.sample(range(self.names), self.nodes)]
        path, other = nodes[: self.length], nodes[self.length :]
        shared = self.length - 1 - distance
        other.insert(shared, path[shared])
        return path, other

    def vocabulary(self) -> Sequence[str]:
        return ["|", "/", *map(str, range(self.names))]

    def theory(self, setting: Setting) -> Theory | None:
        """An ideal any-order model gives the one answer; for left-to-right and block models no value is known."""
        one_by_one = set(setting.quotas) == {1}
        if setting.measure != "accuracy" or setting.kind == "pseudo" or setting.temperature > 0 or not one_by_one:
            return None
        if setting.block:
            return None
        return Theory(1.0, FOLLOWED_TOLERANCE) if setting.order is not None else None
