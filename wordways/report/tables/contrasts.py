"""Every configuration against the first of the table, on identical items."""

from collections.abc import Sequence

import pandas as pd

from wordways.report.columns import quality_columns
from wordways.report.contrasts import contrast_of
from wordways.report.rows import Row
from wordways.report.stats import holm
from wordways.report.table import Table

ORDER = 4


def table(rows: Sequence[Row]) -> Table | None:
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
        f"Difference from {rows[0].label}, paired on identical items; p-values adjusted for {len(found)} comparisons "
        "(Holm)."
    )
    details = f"Methods: {methods}. Tests: McNemar for shares, resampling for pooled metrics, t otherwise."
    task = rows[0]
    return Table(f"contrasts_{task.task}", f"Paired contrasts: {task.title}", note, pd.DataFrame(frame), "", details)
