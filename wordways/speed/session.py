"""Takes a measure: builds both programs, checks that they do the same, times them in turns, describes the machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from wordways.run.provenance import machine, now, tree, version
from wordways.run.session import condition
from wordways.speed.lines import Line, line
from wordways.speed.measures import Measure
from wordways.speed.pairs import Pair
from wordways.speed.subjects import CPU
from wordways.speed.turns import in_turns

CHECKS = 2  # comparisons of results; the second loss is that after an update
PACKAGES = ("wordways", "torch", "transformers")


def taken(measure: Measure, limit: float) -> Line:
    """The line of a measure, whose repeats end after about `limit` seconds.

    Raises RuntimeError where the two programs do not do the same.
    """
    started = now()
    with threads(measure.subject.threads):
        pair = measure.pair(measure.subject)
        equal = checked(pair)
        dtype = getattr(torch, str(pair.setting["precision"]))
        busy, peaks = condition(CPU, dtype, said=True)
        ours, *theirs = in_turns([program for program in (pair.ours, pair.theirs) if program], limit)
        busy_after, peaks_after = condition(CPU, dtype, said=False)
        peak = {name: max(peaks[name], peaks_after[name]) for name in peaks}
        ideal = sum(max(flops / peak["flops_per_s"], moved / peak["bytes_per_s"]) for flops, moved in pair.work)
        return line(
            measure.name,
            pair.setting,
            pair.against,
            ours,
            theirs[0] if theirs else [ideal] * len(ours),
            equal=equal,
            ideal=ideal,
            machine={**machine(CPU), "peak": peak},
            provenance={
                "started": started,
                "busy": [busy, busy_after],
                "versions": {name: version(name) for name in PACKAGES},
                **tree(),
            },
        )


def checked(pair: Pair) -> float | None:
    """The share of equal tokens; None where none are compared."""
    if pair.theirs is None:
        return None
    return [pair.check(pair.ours(), pair.theirs()) for _ in range(CHECKS)][-1]


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Sets torch's number of threads, and restores it."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
