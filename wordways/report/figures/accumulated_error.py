"""Excess accumulated error (exposure bias) along a text."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wordways.report import likelihoods
from wordways.report.drawing import (
    End,
    draw_curves,
    label_ends,
    panels_with_margin,
)
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 5
CAPTION = (
    "Excess accumulated error (exposure bias): what a model's own prefix adds to "
    "the divergence from the data distribution, as a share."
)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """ExAccErr against tokens committed; bands are 95 % intervals."""
    measured = [
        (row, errors)
        for row in rows
        if (errors := likelihoods.accumulated_error(row.first())) and likelihoods.undistorted(row.first())
    ]
    if not measured:
        return None
    figure, (axes,) = panels_with_margin(1, 1, 2.8, [row.label for row in rows], columns)
    curves = {
        End(len(errors), errors[-1].value, row.label, row.paradigm): (range(1, len(errors) + 1), errors)
        for row, errors in measured
    }
    ends = draw_curves(axes, curves, False)
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xlabel("tokens committed")
    axes.set_ylabel("excess accumulated error")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    label_ends(axes, ends, False, columns)
    return figure
