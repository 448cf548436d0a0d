"""Quality against forward passes."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from wordways.report import derive
from wordways.report.quality_panels import quality_against
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 2
CAPTION = "Quality against the forward passes that a text takes. Bars: 95 % intervals; diamonds: analytic values."


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """None where all take the same number."""
    counts = {found.value for row in rows if (found := row.over_seeds(derive.calls)) is not None}
    if len(counts) < 2:
        return None
    return quality_against(rows, derive.calls, "forward passes per text", 1, columns)
