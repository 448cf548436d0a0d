"""Throughput against batch size."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure

from wordways.report import derive
from wordways.report.columns import batches_of
from wordways.report.drawing import curve_at, plain_ticks
from wordways.report.line_panels import line_panel, name_lines
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 4
TIMES = True  # each machine has rows of its own
CAPTION = "Throughput in useful tokens against batch size, texts of natural length. Bands: 95 % intervals, where known."


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Useful tokens per second on logarithmic axes; None of a single batch size."""
    batches, curves = batches_of(rows), []
    for row in rows:
        rates = {batch: row.over_seeds(partial(derive.throughput, batch=batch)) for batch in batches}
        known = {batch: rate for batch, rate in rates.items() if rate is not None and rate.value > 0}
        if len(known) > 1:
            curves.append(curve_at(row.label, row.paradigm, list(known), list(known.values())))
    if not curves:
        return None
    figure, axes, looks = line_panel(curves, columns, True)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(batches)
    axes.set_xlabel("batch size")
    axes.set_ylabel("throughput (tokens/s)")
    plain_ticks(axes)
    name_lines(figure, axes, curves, looks, columns)
    return figure
