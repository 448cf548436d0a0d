"""Excess accumulated error (exposure bias) along a text."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wordways.report import likelihoods
from wordways.report.drawing import curve_at
from wordways.report.line_panels import line_panel, name_lines
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 5
CAPTION = (
    "Excess accumulated error (exposure bias): what a model's own prefix adds to "
    "the divergence from the data distribution, as a share."
)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """ExAccErr against tokens committed; bands are 95 % intervals."""
    curves = [
        curve_at(row.label, row.paradigm, range(1, len(errors) + 1), errors)
        for row in rows
        if (errors := likelihoods.accumulated_error(row.first())) and likelihoods.undistorted(row.first())
    ]
    if not curves:
        return None
    figure, axes, looks = line_panel(curves, columns)
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xlabel("tokens committed")
    axes.set_ylabel("excess accumulated error")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    name_lines(figure, axes, curves, looks, columns)
    return figure
