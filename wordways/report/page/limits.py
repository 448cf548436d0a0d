"""How much of each kind fits on the page, and numbers rounded to what a screen can tell apart.

A page has to stay small. What grows with the number of runs has a share of it, filled in the order of the
configurations; entries that do not fit are counted, and the page says how many are missing.
"""

from collections.abc import Iterable
from typing import TypeVar

from wordways.record import canonical
from wordways.report.stats import Interval

ROOM = {  # bytes of JSON
    "players": 700_000,
    "orders": 250_000,
    "samples": 200_000,
    "oracles": 200_000,
    "tables": 300_000,
    "latex": 100_000,
    "curves": 200_000,
}
LONGEST = 12_000  # characters of a text that is shown
Shown = TypeVar("Shown")


def within(entries: Iterable[Shown], room: int) -> tuple[list[Shown], int]:
    """The first entries that fit into `room` bytes of JSON, and the number of entries left out."""
    kept: list[Shown] = []
    left = 0
    for entry in entries:
        room -= len(canonical(entry))
        if room >= 0:
            kept.append(entry)
        else:
            left += 1
    return kept, left


def short(value: float) -> float:
    """Five significant digits."""
    return float(f"{value:.5g}")


def numbers(interval: Interval | None, scale: float = 1) -> list[float] | None:
    """[value, low, high] in the unit that `scale` leads to, as they are printed."""
    if interval is None:
        return None
    shown = interval.printed()
    return [short(x * scale) for x in (shown.value, shown.low, shown.high)]
