"""Sudoku: one solution each, proved; its images too; the solver's order never has to guess more than it must."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base import split_of
from tasks.sudoku import (
    BLANK,
    BOXES,
    Sudoku,
    candidates,
    is_unique,
    name,
    pairs,
    pool,
    solutions,
    solver_order,
)


def lines(grid: tuple[int, ...], size: int) -> list[list[int]]:
    """Rows, columns and boxes, from the rules alone."""
    tall, wide = BOXES[size]
    rows = [list(grid[r * size : (r + 1) * size]) for r in range(size)]
    boxes = [
        [rows[r + i][c + j] for i in range(tall) for j in range(wide)]
        for r in range(0, size, tall)
        for c in range(0, size, wide)
    ]
    return [*rows, *map(list, zip(*rows, strict=True)), *boxes]


def test_there_are_288_grids_of_four() -> None:
    grids = set(solutions([0] * 16))
    assert len(grids) == 288
    assert all(sorted(line) == [1, 2, 3, 4] for grid in grids for line in lines(grid, 4))


@pytest.mark.parametrize(("size", "clues"), [(4, 4), (4, 6), (6, 12), (9, 32)])
@given(st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_every_puzzle_has_its_solution_and_no_other(size: int, clues: int, number: int) -> None:
    task = Sudoku(size, clues, "rows")  # type: ignore[arg-type]
    example = next(iter(task.examples("valid", first=number)))
    puzzle = [0 if word == BLANK else int(word) for word in example.prompt.split()]
    solution = tuple(map(int, example.target.split()))
    assert size**2 - puzzle.count(0) == clues
    assert all(sorted(line) == list(range(1, size + 1)) for line in lines(solution, size))
    assert list(itertools.islice(solutions(puzzle), 2)) == [solution]
    assert split_of("".join(map(chr, puzzle))) == "valid"
    assert task.score(example, example.target) == {"accuracy": 1}
    assert task.score(example, example.prompt) == {"accuracy": 0}


def test_a_puzzle_with_two_solutions_is_not_unique() -> None:
    grid = next(solutions([0] * 16))
    assert is_unique(grid)
    assert not is_unique([0] * 16)


def test_the_solver_names_empty_cells_and_takes_the_surest_first() -> None:
    task = Sudoku(4, 5, "solver")
    for example in itertools.islice(task.examples("test"), 20):
        puzzle = [0 if word == BLANK else int(word) for word in example.prompt.split()]
        order = solver_order(puzzle)
        assert sorted(order) == [cell for cell, symbol in enumerate(puzzle) if not symbol]
        written = list(pairs(example.target.split()))
        assert [cell for cell, _ in written] == [name(cell, 4) for cell in order]
        for cell, (_, symbol) in zip(order, written, strict=True):
            least = min(len(candidates(puzzle, c)) for c, s in enumerate(puzzle) if not s)
            assert len(candidates(puzzle, cell)) == least
            puzzle[cell] = int(symbol)
        assert all(sorted(line) == [1, 2, 3, 4] for line in lines(tuple(puzzle), 4))
        turned = " ".join(f"{cell} {symbol}" for cell, symbol in reversed(written))
        assert task.score(example, turned) == {"accuracy": 1}, "in whatever order"
        assert task.score(example, f"{turned} {written[0][0]} {written[0][1]}") == {"accuracy": 0}
        assert task.score(example, turned.rpartition(" ")[0]) == {"accuracy": 0}


def test_pools_are_the_same_every_time() -> None:
    first = pool(4, 6, "test")
    pool.cache_clear()
    assert pool(4, 6, "test") == first


@pytest.mark.parametrize(("size", "clues"), [(4, 3), (4, 16), (6, 8), (9, 25)])
def test_refusals(size: int, clues: int) -> None:
    with pytest.raises(ValueError, match=f"clues={clues}: must be from"):
        Sudoku(size, clues, "rows")  # type: ignore[arg-type]
