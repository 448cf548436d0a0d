"""Quality: a column for each stratum of the headline metric, or for each metric where there is one stratum."""

from collections.abc import Sequence

from wordways.report.columns import quality_columns
from wordways.report.marks import marks_of
from wordways.report.rows import Row
from wordways.report.scored import scored_table
from wordways.report.table import Mark, Table

ORDER = 1
BASELINES = True  # trivial baselines are rows like any other


def table(rows: Sequence[Row]) -> Table:
    columns, marks = quality_columns(rows), {}
    for place, (_, metric, stratum) in enumerate(columns, start=1):
        found: dict[int, Mark] = marks_of(rows, metric, stratum)
        marks |= {(line, place): mark for line, mark in found.items()}
    return scored_table("Quality", rows, columns, marks)
