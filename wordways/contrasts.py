"""Every row against the first, on identical items: differences, their intervals, p-values adjusted for their number."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from wordways import derive
from wordways.record import Record
from wordways.rows import Row
from wordways.stats import Contrast, holm, paired, paired_pooled
from wordways.tables import Table, quality_columns


def contrast_table(rows: Sequence[Row]) -> Table | None:
    """None where there is nothing to compare."""
    found = [
        (row.label, heading, contrast)
        for row in rows[1:]
        for heading, metric, stratum in quality_columns(rows)
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
    return paired([a for a, _ in known], [b for _, b in known]) if len(known) > 1 else None


def on_items(first: Record, second: Record, metric: str, stratum: str) -> Contrast | None:
    one, other = (record.scores.get(metric) for record in (first, second))
    if one is None or other is None or first.item_ids != second.item_ids:
        return None
    places = first.places.get(stratum, [])
    chosen = [i for i in places if one["items"][i] is not None and other["items"][i] is not None]
    if len(chosen) < 2:
        return None
    if "statistics" in one and "statistics" in other:
        from tasks.metrics import METRICS

        sums = [[entry["statistics"][i] for i in chosen] for entry in (one, other)]
        return paired_pooled(sums[0], sums[1], METRICS[metric].value)
    items = [[entry["items"][i] for i in chosen] for entry in (one, other)]
    return paired(items[0], items[1], first.shared_instances(chosen))
