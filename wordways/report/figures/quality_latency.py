"""Quality against latency per token."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from wordways.report.quality_panels import any_text, quality_against
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 1
TIMES = True  # each machine has rows of its own
BASELINES = True  # without them no row is below the gate
CAPTION = (
    "Quality against latency per token at batch 1; broad line: the Pareto front. Bars: 95 % intervals, cut at the "
    "frame; diamonds: analytic values; hollow: below the gate of the task."
)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    return quality_against(rows, any_text, "latency/token (ms)", 1e3, columns, front=True)
