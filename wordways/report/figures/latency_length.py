"""Latency against length."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from wordways.report import derive
from wordways.report.drawing import (
    End,
    draw_curves,
    label_ends,
    panels_with_margin,
    plain_ticks,
    scaled,
)
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 4
CAPTION = (
    "End-to-end latency against length, texts forced to that length, batch 1. Bands: 95 % intervals of the median."
)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """End-to-end latency of texts forced to a length, batch 1, on logarithmic axes; bands are 95 % intervals."""
    measured = [(row, lengths) for row in rows if (lengths := derive.latency_by_length(row.first()))]
    if not measured:
        return None
    figure, (axes,) = panels_with_margin(1, 1, 2.8, [row.label for row in rows], columns)
    curves = {}
    for row, lengths in measured:
        times = [scaled(interval, 1e3) for interval in lengths.values()]
        curves[End(max(lengths), times[-1].value, row.label, row.paradigm)] = list(lengths), times
    ends = draw_curves(axes, curves, False)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted({length for _, lengths in measured for length in lengths}))
    axes.set_xlabel("length (tokens)")
    axes.set_ylabel("end-to-end latency (ms)")
    plain_ticks(axes)
    label_ends(axes, ends, False, columns)
    return figure
