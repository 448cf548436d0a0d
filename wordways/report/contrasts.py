"""Paired comparisons of configurations: differences on identical items or seeds, with intervals and p-values."""

from collections.abc import Sequence
from functools import partial

from wordways.record import Record
from wordways.report import derive
from wordways.report.columns import metrics_of
from wordways.report.rows import Row
from wordways.report.stats import LEVEL, Contrast, holm, paired, paired_means, paired_pooled
from wordways.report.table import Mark


def marks_of(rows: Sequence[Row], metric: str, stratum: str) -> dict[int, Mark]:
    """By row: the best, and those not significantly different from it; none where no row differs significantly.

    None also where the metric has no better direction.
    """
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
    """Paired over the common seeds where there are several, else over the items of the one common seed."""
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
    """Whether an item has a value, or statistics that contribute to a pooled one."""
    return value is not None and (not isinstance(value, Sequence) or any(value))
