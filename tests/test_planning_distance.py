"""Crossing chains: one path each, the distance that was promised, and nothing but following tells the ways apart."""

import itertools
from collections.abc import Iterator

import pytest

from tasks.base import Example, Setting, Split
from tasks.planning_distance import PlanningDistance

LENGTH = 6
TASK = PlanningDistance(LENGTH, 12)
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
Edge = tuple[str, str]


def drawn(split: Split, count: int, task: PlanningDistance = TASK) -> list[Example]:
    return list(itertools.islice(task.examples(split), count))


def read(prompt: str) -> tuple[list[Edge], str, str]:
    """The edges as they stand, the start and the goal."""
    graph, asked, end = prompt.split(" /")
    start, goal = asked.split()
    assert end == ""
    edges = [tuple(edge.split()) for edge in graph.removesuffix(" |").split(" | ")]
    assert all(len(edge) == 2 for edge in edges)
    return edges, start, goal  # type: ignore[return-value]


def walks(edges: list[Edge], node: str, walked: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every way from a node on, to every node it leads to, none visited twice."""
    walked = (*walked, node)
    yield walked
    for a, b in edges:
        if a == node and b not in walked:
            yield from walks(edges, b, walked)


@pytest.mark.parametrize("split", SPLITS)
def test_the_target_is_the_only_path(split: Split) -> None:
    for example in drawn(split, 60):
        edges, start, goal = read(example.prompt)
        assert [list(walk) for walk in walks(edges, start) if walk[-1] == goal] == [example.target.split()]
        assert TASK.score(example, example.target) == {"accuracy": 1}
        for wrong in (walk for walk in walks(edges, start) if walk[-1] != goal):
            assert TASK.score(example, " ".join(wrong)) == {"accuracy": 0}


def test_the_wrong_way_is_as_long_and_the_distance_is_how_far_one_must_look() -> None:
    seen = set()
    for example in drawn("train", 100):
        edges, start, goal = read(example.prompt)
        distance = int(example.stratum.removeprefix("distance_"))
        seen.add(distance)
        branching = [node for node, _ in edges if sum(a == node for a, _ in edges) > 1]
        (node,) = set(branching)
        path = example.target.split()
        assert LENGTH - 1 - path.index(node) == distance
        longest = [walk for walk in walks(edges, node) if not any(a == walk[-1] for a, _ in edges)]
        assert [len(walk) - 1 for walk in longest] == [distance, distance]
        assert sum(walk[-1] == goal for walk in longest) == 1
        before = [walk for other in {a for a, _ in edges} for walk in walks(edges, other) if walk[-1] == node]
        heads = [walk for walk in before if not any(b == walk[0] for _, b in edges)]
        assert {len(walk) - 1 for walk in heads} == {LENGTH - 1 - distance}
        assert len(heads) == (1 if node == start else 2)
    assert seen == set(range(1, LENGTH))


def test_distances_differ_in_nothing_that_can_be_counted() -> None:
    examples = drawn("test", 100)
    assert [example.stratum for example in examples[:7]] == [f"distance_{d}" for d in (1, 2, 3, 4, 5, 1, 2)]
    assert {len(example.prompt.split()) for example in examples} == {3 * 2 * (LENGTH - 1) + 4}
    assert {len(example.target.split()) for example in examples} == {LENGTH}
    assert {len({node for edge in read(e.prompt)[0] for node in edge}) for e in examples} == {2 * LENGTH - 1}
    assert {word for e in examples for word in f"{e.prompt} {e.target}".split()} == set(TASK.vocabulary())
    assert set(TASK.strata) == {example.stratum for example in examples}


def test_neither_place_nor_name_tells_the_ways_apart() -> None:
    """Each of these is a fair coin: the right way's edge stands first, its name is the lesser, edges are in order."""
    tossed = {"place": 0, "name": 0, "order": 0}
    for example in drawn("train", 3000):
        edges, _, _ = read(example.prompt)
        path = example.target.split()
        crossing = LENGTH - 1 - int(example.stratum.removeprefix("distance_"))
        ways = [b for a, b in edges if a == path[crossing]]
        tossed["place"] += ways[0] == path[crossing + 1]
        tossed["name"] += min(ways, key=int) == path[crossing + 1]
        tossed["order"] += edges[0] < edges[1]
    assert all(abs(heads - 1500) < 4.5 * 750**0.5 for heads in tossed.values()), tossed


def test_splits_share_no_graph() -> None:
    """Of the smallest graphs there are so few that without care they would meet."""
    graphs = [{frozenset(read(e.prompt)[0]) for e in drawn(s, 2000, PlanningDistance(4, 7))} for s in SPLITS]
    assert all(len(found) > 50 for found in graphs)
    assert not any(one & other for one, other in itertools.combinations(graphs, 2))


def test_examples_are_the_same_at_every_call() -> None:
    assert drawn("valid", 12) == drawn("valid", 12)
    assert list(itertools.islice(TASK.examples("valid", first=7), 5)) == drawn("valid", 12)[7:]
    assert len({example.prompt for example in drawn("valid", 12)}) == 12


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (Setting("accuracy", "distance_2", (1,) * LENGTH, "confidence", 0.0, "bound"), 1),
        (Setting("accuracy", "distance_2", (1,) * LENGTH, "left_to_right", 0.0, "exact"), 1),
        (Setting("accuracy", "distance_2", (1,) * LENGTH, None, 0.0, "exact"), None),
        (Setting("accuracy", "distance_2", (1,) * LENGTH, "confidence", 0.0, "pseudo"), None),
        (Setting("accuracy", "distance_2", (1,) * LENGTH, "confidence", 1.0, "bound"), None),
        (Setting("accuracy", "distance_2", (1,) * LENGTH, "confidence", 0.0, "bound", block=2), None),
        (Setting("accuracy", "distance_2", (2,) * 3, "confidence", 0.0, "bound"), None),
        (Setting("nats_per_token", "distance_2", (1,) * LENGTH, "confidence", 0.0, "bound"), None),
    ],
)
def test_theory_is_of_any_order_one_by_one(setting: Setting, value: float | None) -> None:
    theory = TASK.theory(setting)
    assert (theory and theory.value) == value


@pytest.mark.parametrize(("length", "names"), [(3, 20), (4, 6), (6, 10)])
def test_refusals(length: int, names: int) -> None:
    with pytest.raises(ValueError, match=f"length={length}, names={names}: must be"):
        PlanningDistance(length, names)
