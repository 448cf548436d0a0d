"""Every metric over all strata together, unless the quality table has a column for each already."""

from collections.abc import Sequence

from wordways.report.columns import metrics_of, quality_columns
from wordways.report.rows import Row
from wordways.report.scored import scored_table
from wordways.report.table import Table

ORDER = 5
BASELINES = True  # trivial baselines are rows like any other


def table(rows: Sequence[Row]) -> Table | None:
    metrics = list(metrics_of(rows))
    if len(quality_columns(rows)) >= len(metrics) == len({metric for _, metric, _ in quality_columns(rows)}):
        return None
    return scored_table("Metrics", rows, [(metric, metric, None) for metric in metrics])
