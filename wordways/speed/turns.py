"""Times programs in turns, in one process, so that a drift of the machine affects all of them alike."""

import gc
import math
import time
from collections.abc import Callable, Sequence

from wordways.run.clock import ROUNDS, known_precisely, warm_up

TURN = 0.1  # least seconds of a turn: a short program runs several times, with its weights in the caches


def in_turns(programs: Sequence[Callable[[], object]], limit: float) -> list[list[float]]:
    """Seconds of one run of every program, by program and repeat; of two programs, A B in one repeat, B A in the next.

    Repeats end, from the sixth on, where the median of the ratios (of a single program, of its seconds) is known
    precisely, or after `limit` seconds.
    """
    for program in programs:
        warm_up(lambda program=program: 1e9 * seconds_of(program, 1))
    runs = [max(1, math.ceil(TURN / seconds_of(program, 1))) for program in programs]
    taken: list[list[float]] = [[] for _ in programs]
    began, order = time.perf_counter(), range(len(programs))
    gc.disable()
    try:
        while not (len(taken[0]) >= ROUNDS and (precise(taken) or time.perf_counter() - began > limit)):
            gc.collect()
            for number in order:
                taken[number].append(seconds_of(programs[number], runs[number]))
            order = order[::-1]
    finally:
        gc.enable()
    return taken


def precise(taken: Sequence[Sequence[float]]) -> bool:
    first, *others = taken
    ratios = [[theirs / ours for ours, theirs in zip(first, other, strict=True)] for other in others]
    return all(map(known_precisely, ratios or [first]))


def seconds_of(program: Callable[[], object], runs: int) -> float:
    """Seconds of one of several runs in succession."""
    began = time.perf_counter()
    for _ in range(runs):
        program()
    return (time.perf_counter() - began) / runs
