"""One of the processes that tests/test_workers.py starts: the first trains a file's cells, the other trains along.

The cell whose preset is `failing` fails in the other process at its fourth step; in the seventh step of the one whose
preset is `killed` the first process is.
"""

import os
import pickle
import signal
import sys
from pathlib import Path

import torch

from wordways.run import train, training
from wordways.run.cell import Cell
from wordways.run.workers import joined, rank

VALID_ITEMS, VALID_BATCH = 12, 4
autocast, carry_out = train.autocast, training.carry_out


def lead(cells: list[Cell]) -> None:
    for cell in cells:
        steps = 0

        def stepped(cell: Cell = cell) -> None:
            nonlocal steps
            steps += 1
            if cell.preset == "killed" and steps == 1 + 7:  # the first call says how many steps were done before
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            training.trained(cell, cell.text, torch.device("cpu"), stepped)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)


def failing(cell: Cell, *rest: object) -> None:
    steps = 0

    def fourth(*given: object) -> torch.autocast:
        nonlocal steps
        steps += 1
        if cell.preset == "failing" and steps == 4:
            raise MemoryError("no room for step 4")
        return autocast(*given)  # type: ignore[arg-type]

    train.autocast = fourth
    carry_out(cell, *rest)  # type: ignore[arg-type]


if __name__ == "__main__":
    torch.set_num_threads(1)
    training.VALID_ITEMS, training.VALID_BATCH = VALID_ITEMS, VALID_BATCH
    training.carry_out = failing
    with joined():
        training.follow() if rank() else lead(pickle.loads(Path(sys.argv[1]).read_bytes()))
