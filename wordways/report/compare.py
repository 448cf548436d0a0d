"""Compares two results folders (two machines, two versions): which numbers changed, and by more than their noise.

Configurations are matched by their settings, whatever the device. Differences on identical items and seeds are paired;
other intervals combine those of both configurations (MOVER: Zou and Donner, 2008), for ratios on a logarithmic scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import exp, hypot, log

import pandas as pd

from wordways.labels import NOT_TELLING
from wordways.record import Record, canonical
from wordways.report import derive, likelihoods
from wordways.report.columns import data_measures
from wordways.report.contrasts import contrast_of
from wordways.report.machines import mixed_machines
from wordways.report.rows import Row, rows_of
from wordways.report.signature import signature
from wordways.report.stats import Interval
from wordways.report.table import Table

ANYWHERE = (*NOT_TELLING, "device")
TIMES = ("ms", "1/s", "MB")  # units of the measures that are compared by ratio


@dataclass(frozen=True)
class Move:
    """A measure of one configuration in both folders."""

    task: str
    row: str
    measure: str
    first: float
    second: float
    change: Interval
    ratio: bool

    def verdict(self) -> str:
        """By the interval; numbers without one, such as counts, are within noise only where they are equal."""
        still = 1.0 if self.ratio else 0.0
        if not self.change.known():
            return "within noise" if self.change.value == still else "no interval"
        return "within noise" if self.change.low <= still <= self.change.high else "beyond noise"


def compare(first: Sequence[Record], second: Sequence[Record]) -> tuple[Table, list[str]]:
    """The table, changes beyond noise first, and a line for every configuration that only one folder has."""
    a, b = (by_settings(rows_of(records)) for records in (first, second))
    found = [move for key in a if key in b for move in moves(a[key], b[key])]
    order = ("beyond noise", "no interval", "within noise")
    found.sort(key=lambda move: order.index(move.verdict()))
    frame = [
        {
            "": f"{move.task}, {move.row}",
            "measure": move.measure,
            "A": f"{move.first:.4g}",
            "B": f"{move.second:.4g}",
            "change": f"×{move.change.value:.4g}" if move.ratio else f"{move.change.value:+.4g}",
            "95 % interval": f"{move.change.low:.4g} to {move.change.high:.4g}" if move.change.known() else "–",
            "method": move.change.method,
            "verdict": move.verdict(),
        }
        for move in found
    ]
    beyond, unknown = (sum(move.verdict() == word for move in found) for word in order[:2])
    note = (
        f"{beyond} of {len(found)} measures of {len(a.keys() & b.keys())} shared configurations changed beyond noise, "
        f"{unknown} differ without an interval. Change: B minus A; for times, rates and memory B divided by A."
    )
    details = (
        "Every verdict is by the 95 % interval of its measure, without correction for multiple comparisons: about one "
        f"in twenty ({len(found) / 20:.0f}) is expected beyond noise by chance. Noise covers items, seeds and repeats, "
        f"not changes of the machine between two runs. {mixed_machines([*first, *second])}"
    )
    only = [
        f"only in {name}: {row.task}, {row.label}"
        for name, own, other in (("A", a, b), ("B", b, a))
        for key, row in own.items()
        if key not in other
    ]
    signed = "\n".join(signature(list(rows.values())) for rows in (a, b))
    columns = ["", "measure", "A", "B", "change", "95 % interval", "method", "verdict"]
    table = Table("comparison", "Changes from A to B", note, pd.DataFrame(frame, columns=columns), "", details)
    return replace(table, signature=signed), only


def by_settings(rows: Sequence[Row]) -> dict[str, Row]:
    """Configurations by their settings without device and names; where machines differ in numbers, by these too."""
    return {
        canonical(
            [{name: value for name, value in row.first().config.items() if name not in ANYWHERE}, row.machine]
        ): row
        for row in rows
    }


def moves(a: Row, b: Row) -> list[Move]:
    """Every measure of which both configurations have a value."""
    found, strata = [], a.first().groups()
    for stratum in strata:
        for metric in a.first().scores:
            value = partial(derive.quality, metric=metric, stratum=stratum)
            found.append((f"{metric}, {stratum}" if len(strata) > 1 else metric, "", value, (metric, stratum)))
        value = partial(likelihoods.nats_per_token, stratum=stratum)
        found.append((f"nats_per_token, {stratum}" if len(strata) > 1 else "nats_per_token", "nats", value, None))
    found += [(m.name, m.unit, m.value, None) for m in data_measures([a, b])]
    made = []
    for name, unit, value, quality in found:
        one, other = a.over_seeds(value), b.over_seeds(value)
        if one is None or other is None:
            continue
        ratio = unit in TIMES and min(one.value, other.value) > 0
        contrast = contrast_of(a, b, *quality) if quality else None
        change = contrast.difference if contrast else quotient(one, other) if ratio else difference(one, other)
        made.append(Move(a.task, a.label, name, one.value, other.value, change, ratio))
    return made


def difference(a: Interval, b: Interval) -> Interval:
    """b - a of independent estimates: distances to the interval ends, added in quadrature (MOVER)."""
    value = b.value - a.value
    low = value - hypot(b.value - b.low, a.high - a.value)
    high = value + hypot(b.high - b.value, a.value - a.low)
    return Interval(value, low, high, method_of(a, b), min(a.n, b.n))


def quotient(a: Interval, b: Interval) -> Interval:
    """b / a of two positive estimates: the difference of their logarithms.

    An interval over few seeds may reach 0: its lower end is then set as many times below the value as its upper end is
    above.
    """
    lows = [x.low if x.low > 0 else x.value**2 / x.high for x in (a, b)]
    pairs = zip((a, b), lows, strict=True)
    logs = [replace(x, value=log(x.value), low=log(low), high=log(x.high)) for x, low in pairs]
    found = difference(*logs)
    return replace(found, value=exp(found.value), low=exp(found.low), high=exp(found.high))


def method_of(a: Interval, b: Interval) -> str:
    methods: Mapping[str, None] = dict.fromkeys((a.method, b.method))
    return "none" if "none" in methods else f"MOVER of {' and '.join(methods)}"
