"""Latin squares: the count, the verifier, and the exact accuracy against a direct simulation."""

import itertools
import math

import numpy as np
import pytest

from tasks.base import Setting
from tasks.latin_square import CELLS, SYMBOLS, LatinSquare, independent_accuracy, squares


def test_there_are_576_and_the_verifier_knows_them() -> None:
    task = LatinSquare()
    assert len(set(squares())) == 576
    for square in squares()[::50]:
        rows = [square[i : i + 4] for i in range(0, CELLS, 4)]
        assert all(sorted(line) == list(SYMBOLS) for line in [*rows, *zip(*rows, strict=True)])
        text = " ".join(square)
        example = next(iter(task.examples("test")))
        assert task.score(example, text) == {"accuracy": 1}
        assert task.nats(example, text) == pytest.approx(math.log(576))
        assert task.score(example, text.replace("a", "b")) == {"accuracy": 0}
    drawn = {e.target for e in itertools.islice(task.examples("train"), 8000)}
    assert drawn == task.right


def simulated(quotas: tuple[int, ...], n: int) -> float:
    """A sampler that knows every conditional, cells in random order, a pass at once."""
    rng, right = np.random.default_rng(0), 0
    table = np.array([[SYMBOLS.index(symbol) for symbol in square] for square in squares()])
    for _ in range(n):
        order, fitting, first = rng.permutation(CELLS), table, 0
        for count in quotas:
            cells, first = order[first : first + count], first + count
            written = [fitting[rng.integers(len(fitting)), cell] for cell in cells]
            fitting = fitting[(fitting[:, cells] == written).all(1)]
            if not len(fitting):
                break
        right += bool(len(fitting))
    return right / n


@pytest.mark.parametrize("quotas", [(1,) * 16, (2,) * 8, (3, 3, 3, 3, 3, 1), (1, 2, 13)])
def test_exact_accuracy_is_that_of_a_perfect_sampler(quotas: tuple[int, ...]) -> None:
    exact, n = independent_accuracy(quotas), 4000
    assert abs(simulated(quotas, n) - exact) < 4.5 * max(exact * (1 - exact) / n, 1e-7) ** 0.5 + 1e-9


def test_published_values() -> None:
    def theory(measure: str, quotas: tuple[int, ...], kind: str = "bound") -> float:
        found = LatinSquare().theory(Setting(measure, "latin_square", quotas, "random", 1.0, kind))
        assert found is not None
        return found.value

    assert theory("accuracy", (16,)) == pytest.approx(576 / 4**16)
    assert theory("accuracy", (3, 3, 3, 3, 3, 1)) == pytest.approx(0.344, abs=5e-4)
    assert theory("gap_bits", (16,)) == pytest.approx(22.83, abs=5e-3)
    assert theory("nats_per_token", (16,), "exact") == pytest.approx(math.log(4))
    assert theory("nats_per_token", (2,) * 8) == pytest.approx(math.log(576) / 16)
