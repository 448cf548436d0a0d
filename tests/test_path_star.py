"""Path-star graphs: every drawing has one path, and the verifier takes no other."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base import Setting, split_of
from tasks.path_star import PathStar


def task(target: str = "forward", query: str = "last", shuffle: str = "edges", arms: int = 3) -> PathStar:
    return PathStar(arms, 4, 20, target, query, shuffle)  # type: ignore[arg-type]


def read(prompt: str) -> tuple[list[tuple[str, str]], str, str]:
    """The edges, the start and the goal, wherever they stand."""
    words = prompt.split()
    asked = words.index("/")
    start, goal = words[asked + 1 : asked + 3]
    assert words[asked + 3] == "/"
    drawn = words[:asked] + words[asked + 4 :]
    edges = [(drawn[i], drawn[i + 1]) for i in range(0, len(drawn), 3)]
    assert all(drawn[i] == "|" for i in range(2, len(drawn), 3))
    return edges, start, goal


@pytest.mark.parametrize("shuffle", ["edges", "arms"])
@pytest.mark.parametrize("query", ["last", "first"])
@pytest.mark.parametrize("target", ["forward", "reversed"])
@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_target_is_the_only_path(target: str, query: str, shuffle: str, number: int) -> None:
    example = next(iter(task(target, query, shuffle).examples("train", first=number)))
    edges, start, goal = read(example.prompt)
    assert len(edges) == 9
    assert sum(a == start for a, _ in edges) == 3
    path, parents = [goal], dict((b, a) for a, b in edges)
    while path[-1] != start:
        path.append(parents[path[-1]])
    assert len(path) == 4
    assert example.target.split() == (path if target == "reversed" else path[::-1])
    assert task(target).score(example, example.target) == {"accuracy": 1}
    assert task(target).score(example, " ".join(reversed(example.target.split()))) == {"accuracy": 0}


def test_arms_stay_whole_where_only_they_are_shuffled() -> None:
    for example in itertools.islice(task(shuffle="arms").examples("test"), 20):
        edges, start, _ = read(example.prompt)
        assert [a for a, _ in edges[::3]] == [start] * 3
        assert all(one[1] == other[0] for one, other in itertools.pairwise(edges) if other[0] != start)


def test_the_goal_is_in_any_arm_alike() -> None:
    found = [0, 0, 0]
    for example in itertools.islice(task(shuffle="arms").examples("train"), 3000):
        edges, _, goal = read(example.prompt)
        found[[b for _, b in edges].index(goal) // 3] += 1
    assert all(abs(count - 1000) < 4.5 * 1000**0.5 for count in found)


def test_splits_share_no_graph() -> None:
    for split in ("train", "valid", "test"):
        for example in itertools.islice(task(arms=2).examples(split), 200):
            edges, start, goal = read(example.prompt)
            arms = {b: b for _, b in edges}
            order = [start]
            for first in [b for a, b in edges if a == start]:
                arm = [first]
                while following := [b for a, b in edges if a == arm[-1]]:
                    arm += following
                order[1:1] = arm if arm[-1] == goal else []
                order += arm if arm[-1] != goal else []
            assert arms
            assert split_of(" ".join(order)) == split, (
                "which split a graph belongs to is a hash of its nodes, goal's arm first"
            )


def test_left_to_right_guesses_and_no_other_order_must() -> None:
    def theory(target: str, kind: str, order: str | None, quotas: tuple[int, ...] = (1,) * 4) -> float | None:
        found = task(target).theory(Setting("accuracy", target, quotas, order, 0.0, kind))
        return found and found.value

    assert theory("forward", "exact", None) == 1 / 3
    assert theory("reversed", "exact", None) == 1
    assert theory("forward", "bound", "confidence") == 1
    assert theory("forward", "pseudo", "confidence") is None
    assert theory("forward", "exact", None, (4,)) is None
    assert task("forward").theory(Setting("accuracy", "forward", (1,) * 4, "confidence", 0.0, "bound", block=2)) is None


@pytest.mark.parametrize(("arms", "length", "names"), [(1, 4, 20), (2, 2, 20), (2, 5, 8)])
def test_refusals(arms: int, length: int, names: int) -> None:
    with pytest.raises(ValueError, match=f"arms={arms}, length={length}, names={names}: must be"):
        PathStar(arms, length, names, "forward", "last", "edges")
