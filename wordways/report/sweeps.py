"""Finds numeric sweeps: configurations of a task that differ in one number, such as the number of steps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wordways.labels import flatten, phrase, titled
from wordways.record import canonical
from wordways.report.rows import Row


@dataclass(frozen=True)
class Sweep:
    """Rows in the order of the one number in which they differ; a row that is in no sweep stands alone.

    label: what the labels of the rows share, with the range of the number.  name: the same without the range.
    setting: the number's dotted name in the configuration; empty for a row that stands alone.
    """

    label: str
    name: str
    setting: str
    values: tuple[float, ...]
    rows: tuple[Row, ...]

    @property
    def paradigm(self) -> str:
        return self.rows[0].paradigm


def sweeps_of(rows: Sequence[Row]) -> list[Sweep]:
    """Every sweep over at least two values, the longest first; a row may be in several."""
    flats = [flatten(row.first().config) for row in rows]
    names = [name for name in dict.fromkeys(name for flat in flats for name in flat) if number(name, flats)]
    found = []
    for name in names:
        alike: dict[str, list[tuple[float, Row]]] = {}
        for row, flat in zip(rows, flats, strict=True):
            value = number_of(flat.get(name))
            if value is not None:
                rest = {other: setting for other, setting in flat.items() if other != name}
                alike.setdefault(canonical([row.task, rest]), []).append((value, row))
        found += [sweep(name, members) for members in alike.values() if len(members) > 1]
    return sorted(found, key=lambda one: -len(one.rows))


def in_sweeps(rows: Sequence[Row]) -> list[Sweep]:
    """Every row once, in the order of the rows: in the longest sweep that it is part of, or by itself."""
    taken: dict[int, Sweep] = {}
    for one in sweeps_of(rows):
        free = [(value, row) for value, row in zip(one.values, one.rows, strict=True) if id(row) not in taken]
        if len(free) > 1:
            taken |= dict.fromkeys((id(row) for _, row in free), sweep(one.setting, free))
    found = [taken.get(id(row)) or Sweep(row.label, row.label, "", (0.0,), (row,)) for row in rows]
    return list({id(one.rows[0]): one for one in found}.values())


def sweep(setting: str, members: Sequence[tuple[float, Row]]) -> Sweep:
    """`diffusion (greedy, 1 per pass)` and `diffusion (greedy, 5 per pass)` are `diffusion (greedy, 1–5 per pass)`."""
    values, rows = zip(*sorted(members, key=lambda pair: pair[0]), strict=True)
    titles, inside = zip(*(row.label.removesuffix(")").partition(" (")[::2] for row in rows), strict=True)
    lists = [part.split(", ") for part in inside]
    shared = [part for part in lists[0] if part and all(part in parts for parts in lists)]
    span = phrase(setting, f"{values[0]:g}–{values[-1]:g}")
    return Sweep(titled(titles[0], [*shared, span]), titled(titles[0], shared), setting, values, rows)


def number(name: str, flats: Sequence[dict[str, str]]) -> bool:
    """Whether a setting has at least two different values that are numbers."""
    return len({flat[name] for flat in flats if number_of(flat.get(name)) is not None}) > 1


def number_of(value: str | None) -> float | None:
    try:
        found = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None
