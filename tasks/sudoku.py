"""Sudoku: puzzles with one solution, where the order of generation decides which cells are determined when generated.

After Kim et al. (2025). A solver that tries all alternatives proves that each solution is unique. Puzzles are images of
a pool under the symmetries of the grid, which preserve uniqueness: renaming symbols, and permuting rows and columns
within and between the bands of boxes. Every split has its own pool, and the hash of a puzzle determines its split.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from tasks.base import Drawn, Example, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # rows and columns of a box
POOL = {"train": 400, "valid": 20, "test": 40}  # puzzles that the solver has proved unique; all others are their images
BLANK = "."
Grid = tuple[int, ...]  # symbols 1..size row by row, 0 where a cell is empty


class Sudoku(Drawn):
    """Prompt: the puzzle row by row; target: the solution.

    size: 4, 6 or 9.  clues: cells that are given.
    written: the whole grid by rows, or only the empty cells, each with its name, in the order of a solver.
    """

    holes = "suffix"
    gated_by_oracle = True
    strata: Sequence[str] = ("sudoku",)
    metrics: Sequence[Metric] = (Accuracy(),)

    def __init__(self, size: Literal[4, 6, 9], clues: int, written: Literal["rows", "solver"]):
        least = {4: 4, 6: 9, 9: 26}[size]  # removing clues hardly ever finds puzzles with fewer
        if not least <= clues < size * size:
            raise ValueError(f"clues={clues}: must be from {least} to {size * size - 1} at size={size}")
        self.size, self.clues, self.written = size, clues, written

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless images of the puzzles of the split's pool."""
        for number in itertools.count(first):
            rng = random.Random(f"{split}-{number}")
            known = pool(self.size, self.clues, split)[number % POOL[split]]
            puzzle, solution = image(*known, self.size, rng)
            while split_of("".join(map(chr, puzzle))) != split:  # images of two pools may coincide: small grids are few
                puzzle, solution = image(*known, self.size, rng)
            target = " ".join(map(str, solution))
            if self.written == "solver":
                target = " ".join(f"{name(cell, self.size)} {solution[cell]}" for cell in solver_order(puzzle))
            prompt = " ".join(str(symbol) if symbol else BLANK for symbol in puzzle)
            yield Example(f"{split}-{number}", prompt, target, stratum="sudoku")

    def vocabulary(self) -> Sequence[str]:
        symbols = [BLANK, *map(str, range(1, self.size + 1))]
        return symbols + [name(cell, self.size) for cell in range(self.size**2)] * (self.written == "solver")

    def score(self, example: Example, text: str) -> dict[str, float]:
        """accuracy: 1 if every cell equals that of the solution, in any order of named cells."""
        if self.written == "rows":
            return {"accuracy": float(text == example.target)}
        said, right = text.split(), example.target.split()
        return {"accuracy": float(dict(pairs(said)) == dict(pairs(right)) and len(said) == len(right))}

    def nats(self, example: Example, text: str) -> float:
        return 0.0 if text == example.target else math.inf

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        """None: an ideal model is right in any order, and the task measures what a real one loses by its order."""
        return None


def name(cell: int, size: int) -> str:
    return f"r{cell // size + 1}c{cell % size + 1}"


def pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(words[::2], words[1::2], strict=False)


@lru_cache(maxsize=3)
def peers(size: int) -> list[list[int]]:
    """For every cell, the other cells of its row, column and box."""
    tall, wide = BOXES[size]
    places = [(cell // size, cell % size) for cell in range(size**2)]
    alike = [{("row", r), ("column", c), ("box", r // tall, c // wide)} for r, c in places]
    return [[b for b in range(size**2) if b != a and alike[a] & alike[b]] for a in range(size**2)]


def candidates(grid: Sequence[int], cell: int) -> list[int]:
    size = math.isqrt(len(grid))
    seen = {grid[peer] for peer in peers(size)[cell]}
    return [symbol for symbol in range(1, size + 1) if symbol not in seen]


def solutions(grid: Sequence[int], rng: random.Random | None = None) -> Iterator[Grid]:
    """All solutions, by backtracking over the cell with the fewest candidates; rng: candidates in random order."""
    open_cells = [cell for cell, symbol in enumerate(grid) if symbol == 0]
    if not open_cells:
        yield tuple(grid)
        return
    cell = min(open_cells, key=lambda c: len(candidates(grid, c)))
    choices = candidates(grid, cell)
    if rng is not None:
        rng.shuffle(choices)
    for symbol in choices:
        filled = [*grid]
        filled[cell] = symbol
        yield from solutions(filled, rng)


def is_unique(grid: Sequence[int]) -> bool:
    return len(list(itertools.islice(solutions(grid), 2))) == 1


def solver_order(grid: Sequence[int]) -> list[int]:
    """The empty cells in the order of a solver: always the first of those with the fewest candidates."""
    solution, filled, order = next(solutions(grid)), [*grid], []
    while 0 in filled:
        cell = min((c for c, symbol in enumerate(filled) if not symbol), key=lambda c: len(candidates(filled, c)))
        filled[cell] = solution[cell]
        order.append(cell)
    return order


@lru_cache(maxsize=6)
def pool(size: int, clues: int, split: Split) -> list[tuple[Grid, Grid]]:
    """Puzzles and their solutions: clues are removed in random order while the solution remains unique."""
    found = []
    for number in itertools.count():
        rng = random.Random(f"{size}-{clues}-{split}-{number}")
        solution = next(solutions([0] * size**2, rng))
        puzzle, left = [*solution], size**2
        for cell in rng.sample(range(size**2), size**2):
            if left == clues:
                break
            puzzle[cell] = 0
            if is_unique(puzzle):
                left -= 1
            else:
                puzzle[cell] = solution[cell]
        if left == clues:
            found.append((tuple(puzzle), solution))
        if len(found) == POOL[split]:
            return found
    raise AssertionError


def image(puzzle: Grid, solution: Grid, size: int, rng: random.Random) -> tuple[Grid, Grid]:
    """The same puzzle with symbols renamed, and rows and columns permuted within and between bands."""
    tall, wide = BOXES[size]
    symbols = [0, *rng.sample(range(1, size + 1), size)]
    rows, columns = exchanged(size, tall, rng), exchanged(size, wide, rng)
    cells = [row * size + column for row in rows for column in columns]
    return tuple(symbols[puzzle[cell]] for cell in cells), tuple(symbols[solution[cell]] for cell in cells)


def exchanged(size: int, band: int, rng: random.Random) -> list[int]:
    """A permutation of lines: of the bands, and of the lines within each band."""
    bands = [rng.sample(range(first, first + band), band) for first in range(0, size, band)]
    rng.shuffle(bands)
    return [line for lines in bands for line in lines]
