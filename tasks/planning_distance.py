"""Two chains that cross: how far the goal lies behind the crossing is how far one must look ahead to leave it rightly.

After Ye et al. (2025), whose minimal planning task this is. Both chains have as many nodes before the crossing, and as
many behind it, so that nothing but following tells which way leads to the goal. Wherever they cross, a graph has as
many edges and a path as many nodes: the distances differ in nothing else.
"""

import itertools
import random
from collections.abc import Iterator, Sequence

from tasks.base import Example, OneAnswer, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric


class PlanningDistance(OneAnswer):
    """Prompt: the edges in random order, the start and the goal; target: the nodes of the path.

    length: nodes of a chain.  names: that nodes are drawn from.
    A distance is the number of edges from the crossing to the goal; at the greatest the chains cross at the start.
    """

    holes = "suffix"
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, length: int, names: int):
        nodes = 2 * length - 1
        if length < 4 or names < nodes:  # shorter chains make too few graphs to split
            raise ValueError(f"length={length}, names={names}: must be length of 4, {nodes} names or more")
        self.length, self.names, self.nodes = length, names, nodes
        self.strata: Sequence[str] = tuple(f"distance_{distance}" for distance in range(1, length))

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless, distances in turn; which split a graph belongs to is a hash of its edges, whatever is asked."""
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
        """The path and the other chain; the node they share is the distance away from the ends of both."""
        nodes = [str(node) for node in rng.sample(range(self.names), self.nodes)]
        path, other = nodes[: self.length], nodes[self.length :]
        shared = self.length - 1 - distance
        other.insert(shared, path[shared])
        return path, other

    def vocabulary(self) -> Sequence[str]:
        return ["|", "/", *map(str, range(self.names))]

    def theory(self, setting: Setting) -> Theory | None:
        """A model of any order knows the one answer; whether left to right or by blocks one learns it is a finding."""
        one_by_one = set(setting.quotas) == {1}
        if setting.measure != "accuracy" or setting.kind == "pseudo" or setting.temperature > 0 or not one_by_one:
            return None
        if setting.block:
            return None
        return Theory(1.0, "followed_arm") if setting.order is not None else None
