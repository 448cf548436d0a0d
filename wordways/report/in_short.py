"""What was found, in a few sentences with numbers: the best, the fastest, the front, the gate, what is undecided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import comb

from wordways.record import Record
from wordways.report import derive
from wordways.report.columns import digits_of, metrics_of
from wordways.report.contrasts import Contrast, contrast_of
from wordways.report.gates import gate_of, headline
from wordways.report.machines import by_machine, device_of
from wordways.report.marks import marks_of
from wordways.report.oracles import lines_of
from wordways.report.rows import Row, trained
from wordways.report.show import significant, with_interval
from wordways.report.signature import budget, ranges
from wordways.report.stats import LEVEL, NO_LIMIT, Interval, quantile
from wordways.report.tradeoffs import unbeaten

NAMED = 4  # configurations that a sentence lists by name
POWER = 0.8  # probability with which a real difference is to be found
FEASIBLE = 1000  # times as many items or seeds beyond which no one decides a difference


@dataclass(frozen=True)
class Short:
    """The findings of a task and, in one line, what they were measured with."""

    task: str
    title: str
    sentences: list[str]
    setting: str


Ranked = Sequence[tuple[Row, Interval]]
"""Rows that pass the gate, with the headline metric over all strata, best first."""


def in_short(rows: Sequence[Row]) -> Short:
    """rows: of one task, its trivial baselines included."""
    own, below = trained(rows), [row.label for row in rows if gate_of(row, rows)]
    ranked = ranking([row for row in own if row.label not in below])
    found = [*of_quality(rows, ranked), *of_latency(own), *of_front(ranked), *of_gate(own, below)]
    return Short(own[0].task, own[0].title, [*found, *of_theory(own), *of_seeds(own)], setting(own))


def ranking(rows: Sequence[Row]) -> Ranked:
    """Empty where the headline metric has no better direction."""
    if not rows or not headline(rows[0])[1]:
        return []
    metric, sign = headline(rows[0])
    value = partial(derive.quality, metric=metric, stratum=None)
    found = [(row, interval) for row in rows if (interval := row.over_seeds(value)) is not None]
    return sorted(found, key=lambda pair: -sign * pair[1].value)


def of_quality(rows: Sequence[Row], ranked: Ranked) -> Iterator[str]:
    """Which configuration is best, from which others it does not differ, and what would tell the nearest apart."""
    if not ranked:
        return
    metric, _ = headline(rows[0])
    (best, value), digits = ranked[0], digits_of(metrics_of(rows)[metric])
    if len(ranked) == 1:
        yield f"{best.label} has {metric} {with_interval(value, digits)}."
        return
    marks = marks_of(rows, metric, None)
    level = [rows[line].label for line, mark in marks.items() if mark == "level"]
    shown = f"{best.label} has the best {metric}, {with_interval(value, digits)}"
    if not marks:
        yield f"{shown}, but no configuration differs significantly from it."
    else:
        yield f"{shown}." + (f" Not significantly different: {listed(level)}." if level else "")
    close = [row for row, _ in ranked[1:] if row.label in level or not marks]
    contrast = contrast_of(best, close[0], metric) if close else None
    if contrast is not None and contrast.difference.value != 0:
        yield undecided(best, close[0], contrast, digits, comb(len(ranked), 2))


def undecided(best: Row, other: Row, contrast: Contrast, digits: int, pairs: int) -> str:
    """The nearest difference that is not significant, and how many more items or seeds it takes to decide it.

    With a power of 80 % and p-values adjusted for all pairs, as the marks of the quality table are.
    """
    difference = contrast.difference
    pair, half = f"{best.label} and {other.label}", (difference.high - difference.low) / 2
    said = f"Undecided between {pair}: their difference is {with_interval(difference, digits)}."
    if not difference.printed().known():
        return f"{said} Two seeds say nothing of the others: a third gives an interval."
    adjusted, level, power = (
        quantile(NO_LIMIT, tail) for tail in ((1 - LEVEL) / 2 / pairs, (1 - LEVEL) / 2, 1 - POWER)
    )
    times = ((adjusted + power) / level * half / difference.value) ** 2
    if times > FEASIBLE:
        return f"{said} No feasible number of items or seeds would decide one this small."
    seeds = difference.training is not None and difference.training > (difference.sampling or 0)
    more = f"{max(2.0, times):.0f} times as many {'seeds' if seeds else 'test items'}"
    return f"{said} If it is real, about {more} decide it (power {POWER:.0%})."


def of_latency(rows: Sequence[Row]) -> Iterator[str]:
    timed = [(row, found) for row in rows if (found := row.over_seeds(derive.latency_per_token)) is not None]
    if len(timed) < 2:
        return
    if not comparable([row for row, _ in timed]):
        yield "Configurations were timed on different machines, so that their latencies are not compared."
        return
    (fast, least), (slow, most) = (extreme(timed, key=lambda one: one[1].value) for extreme in (min, max))
    metric, _ = headline(fast)
    quality = fast.over_seeds(partial(derive.quality, metric=metric, stratum=None))
    with_quality = f", at {metric} {with_interval(quality, digits_of(metrics_of(rows)[metric]))}" if quality else ""
    yield (
        f"{fast.label} has the lowest latency, {significant(least.value * 1e3)} ms per token{with_quality}; "
        f"{slow.label} has the highest, {significant(most.value / least.value)} times as much."
    )


def comparable(rows: Sequence[Row]) -> bool:
    """Whether one machine timed all rows."""
    return len(by_machine([record for row in rows for record in row.records])) == 1


def of_front(ranked: Ranked) -> Iterator[str]:
    timed = [
        (row, (time.value, quality.value))
        for row, quality in ranked
        if (time := row.over_seeds(derive.latency_per_token)) is not None
    ]
    if len(timed) < 2 or not comparable([row for row, _ in timed]):
        return
    metric, sign = headline(timed[0][0])
    front = unbeaten([point for _, point in timed], sign > 0)
    on_it = [row.label for point in front for row, other in timed if other == point]
    yield f"On the Pareto front of {metric} and latency are {len(on_it)} of {len(timed)}: {listed(on_it)}."


def of_gate(rows: Sequence[Row], below: Sequence[str]) -> Iterator[str]:
    if below and len(below) == len(rows):
        yield f"None of {len(below)} configurations is trained far enough to be ranked (the gate of the task)."
    elif below:
        yield f"Not trained far enough to be ranked: {len(below)} of {len(rows)}, {listed(below)}."


def of_theory(rows: Sequence[Row]) -> Iterator[str]:
    lines = [line for row in rows for record in row.records for line in lines_of(record)]
    if lines:
        yield f"{sum(line['holds'] for line in lines)} of {len(lines)} measurements agree with their analytic values."


def of_seeds(rows: Sequence[Row]) -> Iterator[str]:
    if any(len(row.records) == 2 for row in rows):
        yield "Warning: two seeds are too few for an interval over trainings; run a third."


def setting(rows: Sequence[Row]) -> str:
    """Machine, budget, size, seeds and items."""
    records = [record for row in rows for record in row.records]
    sizes = sorted({int(record.budgets["params"]) for record in records})
    size = " to ".join(f"{number:,}" for number in dict.fromkeys((sizes[0], sizes[-1])))
    counts = sorted({len(record.item_ids) for record in records})
    return (
        f"{' and '.join(dict.fromkeys(map(device_of, records)))}; {of_training(records)}; {size} parameters; seeds "
        f"{', '.join(ranges({record.config['seed'] for record in records}))}; "
        f"{' to '.join(f'{count:,}' for count in dict.fromkeys((counts[0], counts[-1])))} test items"
    )


def of_training(records: Sequence[Record]) -> str:
    budgets = list(dict.fromkeys(map(budget, records)))
    trained_for = " and ".join(one for one in budgets if one)
    return f"training {trained_for} (steps x batch size)" if trained_for else "no training"


def listed(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
