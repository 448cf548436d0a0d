"""Every configuration against the first of the table, on identical items."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from wordways.report.columns import quality_columns
from wordways.report.contrasts import contrast_of
from wordways.report.rows import Row
from wordways.report.show import p_value
from wordways.report.stats import holm
from wordways.report.table import Table

ORDER = 4
BASELINES = True  # trivial baselines are rows like any other


def table(rows: Sequence[Row]) -> Table | None:
    """None where there is nothing to compare."""
    columns = [column for column in quality_columns(rows) if column[2] is not None]
    found = [
        (row.label, heading, contrast)
        for row in rows[1:]
        for heading, metric, stratum in columns
        if (contrast := contrast_of(rows[0], row, metric, stratum)) is not None
    ]
    if not found:
        return None
    several = any(contrast.difference.trainings > 1 for _, _, contrast in found)
    adjusted = by_column([(heading, contrast.p) for _, heading, contrast in found])
    here = by_column([(heading, contrast.here) for _, heading, contrast in found])
    frame = [
        {
            "": label,
            "stratum": heading,
            "difference": f"{contrast.difference.value:+.3f}",
            "95 % interval": f"{contrast.difference.low:+.3f} to {contrast.difference.high:+.3f}",
            "p": p_value(contrast.p),
            "adjusted p": p_value(p),
        }
        | ({"adjusted p, these trainings": p_value(own)} if several else {})
        for (label, heading, contrast), p, own in zip(found, adjusted, here, strict=True)
    ]
    sizes = ", ".join(sorted({f"{c.difference.method}, n = {c.difference.n:,}" for _, _, c in found}))
    most = max(Counter(heading for _, heading, _ in found).values())
    note = (
        f"Difference from {rows[0].label}, paired on identical items and trainings; p-values are adjusted within each "
        f"column (Holm, up to {most} lines)."
    )
    details = f"Methods: {sizes}. p-values: of the same Student's t as the intervals; metrics of a set by jackknife. "
    if several:
        details += "Intervals and p cover trainings and items; the last column covers items alone, for these trainings."
    task = rows[0]
    return Table(f"contrasts_{task.task}", f"Paired contrasts: {task.title}", note, pd.DataFrame(frame), "", details)


def by_column(values: Sequence[tuple[str, float]]) -> list[float]:
    """P-values adjusted within the family of their column."""
    places: dict[str, list[int]] = {}
    for place, (heading, _) in enumerate(values):
        places.setdefault(heading, []).append(place)
    found = [0.0] * len(values)
    for column in places.values():
        for place, p in zip(column, holm([values[i][1] for i in column]), strict=True):
            found[place] = p
    return found
