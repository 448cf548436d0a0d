"""Latency against length."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from wordways.report import derive
from wordways.report.drawing import curve_at, plain_ticks, scaled
from wordways.report.line_panels import line_panel, name_lines
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 3
TIMES = True  # each machine has rows of its own
CAPTION = (
    "End-to-end latency against length, texts forced to that length, batch 1. Bands: 95 % intervals of the median."
)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """End-to-end latency of texts forced to a length, batch 1, on logarithmic axes; None of a single length."""
    measured = [(row, derive.latency_by_length(row.first())) for row in rows]
    curves = [
        curve_at(row.label, row.paradigm, list(found), [scaled(interval, 1e3) for interval in found.values()])
        for row, found in measured
        if len(found) > 1
    ]
    if not curves:
        return None
    figure, axes, looks = line_panel(curves, columns)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted({x for curve in curves for x, _ in curve.ends()}))
    axes.set_xlabel("length (tokens)")
    axes.set_ylabel("end-to-end latency (ms)")
    plain_ticks(axes)
    name_lines(figure, axes, curves, looks, columns)
    return figure
