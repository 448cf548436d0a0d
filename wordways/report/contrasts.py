"""Every row against the first, on identical items: differences, their intervals, p-values adjusted for their number."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from wordways.record import Record
from wordways.report import derive
from wordways.report.rows import Row
from wordways.report.stats import LEVEL, Contrast, holm, paired, paired_means, paired_pooled
from wordways.report.tables import Mark, Table, metrics_of, quality_columns


def contrast_table(rows: Sequence[Row]) -> Table | None:
    """None where there is nothing to compare."""
    columns = quality_columns(rows)
    found = [
        (row.label, heading, contrast)
        for row in rows[1:]
        for heading, metric, stratum in columns
        if (contrast := contrast_of(rows[0], row, metric, stratum)) is not None
    ]
    if not found:
        return None
    adjusted = holm([contrast.p for _, _, contrast in found])
    frame = [
        {
            "": label,
            "stratum": heading,
            "difference": f"{contrast.difference.value:+.3f}",
            "95 % interval": f"{contrast.difference.low:+.3f} to {contrast.difference.high:+.3f}",
            "p": f"{p:.2g}",
        }
        for (label, heading, contrast), p in zip(found, adjusted, strict=True)
    ]
    methods = ", ".join(sorted({f"{c.difference.method}, n = {c.difference.n:,}" for _, _, c in found}))
    note = (
        f"Difference to {rows[0].label} on identical items ({methods}); p-values (McNemar for shares, of resamples for "
        f"pooled metrics, t otherwise) adjusted for all {len(found)} comparisons (Holm)."
    )
    task = rows[0].task
    return Table(f"contrasts_{task}", f"Contrasts, {task}", note, pd.DataFrame(frame))


MARKS_NOTE = (
    " Bold: a column's best. Underlined: not significantly worse (paired with the best on identical items or seeds, "
    "Holm over the column, p at least .05), which does not show that it is as good. Unmarked: columns where no row is "
    "worse."
)


def marked(table: Table, rows: Sequence[Row]) -> Table:
    """A quality table whose best rows are marked; as it was where no column tells them apart."""
    marks: dict[tuple[int, int], Mark] = {}
    for column, (_, metric, stratum) in enumerate(quality_columns(rows), start=1):
        marks |= {(line, column): mark for line, mark in marks_of(rows, metric, stratum).items()}
    return replace(table, marks=marks, note=table.note + MARKS_NOTE) if marks else table


def marks_of(rows: Sequence[Row], metric: str, stratum: str) -> dict[int, Mark]:
    """The best, and those not significantly worse; nobody where none is worse, or nobody knows what is."""
    higher_is_better = metrics_of(rows)[metric]["higher_is_better"]
    if higher_is_better is None:
        return {}
    sign = 1 if higher_is_better else -1
    found = {i: row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum)) for i, row in enumerate(rows)}
    values = {i: sign * interval.value for i, interval in found.items() if interval is not None}
    top = max(values.values(), default=0)
    best = [i for i, value in values.items() if value == top]
    pairs = {i: contrast_of(rows[best[0]], rows[i], metric, stratum) for i in values if i not in best}
    compared = {i: contrast.p for i, contrast in pairs.items() if contrast is not None}
    adjusted = dict(zip(compared, holm(list(compared.values())), strict=True))
    level = [i for i, p in adjusted.items() if p >= 1 - LEVEL]
    if len(level) == len(adjusted):
        return {}
    marks: dict[int, Mark] = dict.fromkeys(best, "best")
    marks.update(dict.fromkeys(level, "level"))
    return marks


def contrast_of(first: Row, second: Row, metric: str, stratum: str) -> Contrast | None:
    """Over the seeds both have, where they are several; else over the items of the one record both have."""
    seeds = [{record.config["seed"]: record for record in row.records} for row in (first, second)]
    common = sorted(seeds[0].keys() & seeds[1].keys())
    pairs = [(seeds[0][seed], seeds[1][seed]) for seed in common]
    if len(pairs) == 1:
        return on_items(*pairs[0], metric, stratum)
    value = partial(derive.quality, metric=metric, stratum=stratum)
    values = [(value(a), value(b)) for a, b in pairs]
    known = [(a.value, b.value) for a, b in values if a is not None and b is not None]
    return paired_means([a for a, _ in known], [b for _, b in known]) if len(known) > 1 else None


def on_items(first: Record, second: Record, metric: str, stratum: str) -> Contrast | None:
    one, other = (record.scores.get(metric) for record in (first, second))
    if one is None or other is None or "items" not in one or first.item_ids != second.item_ids:
        return None
    of = "statistics" if "statistics" in one and "statistics" in other else "items"
    chosen = [i for i in first.places.get(stratum, []) if known(one[of][i]) and known(other[of][i])]
    if len(chosen) < 2:
        return None
    if of == "statistics":
        sums = [[entry["statistics"][i] for i in chosen] for entry in (one, other)]
        return paired_pooled(sums[0], sums[1], derive.value_of(metric))
    items = [[entry["items"][i] for i in chosen] for entry in (one, other)]
    return paired(items[0], items[1], first.shared_instances(chosen))


def known(value: float | Sequence[float] | None) -> bool:
    """Has an item a value, or sums that add to one?"""
    return value is not None and (not isinstance(value, Sequence) or any(value))
