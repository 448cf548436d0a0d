"""Figures of one panel with a line for each configuration, named at its end, or below where the page is narrow."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wordways.report.drawing import Curve, Look, draw_band, draw_legend, grid, label_ends, looks_of, margin_panel
from wordways.report.style import Columns

Looks = Mapping[str, Look]


def line_panel(curves: Sequence[Curve], columns: Columns, higher_is_better: bool = False) -> tuple[Figure, Axes, Looks]:
    """The lines with bands of their intervals; the caller sets the axes and then calls `name_lines`."""
    looks = looks_of([curves], [higher_is_better])
    if columns == 2:
        figure, axes = margin_panel(list(looks), columns)
    else:
        figure, (axes,) = grid(1, list(looks), columns)
    for curve in curves:
        draw_band(axes, curve, looks.get(curve.label))
    return figure, axes, looks


def name_lines(figure: Figure, axes: Axes, curves: Sequence[Curve], looks: Looks, columns: Columns) -> None:
    if columns == 2:
        label_ends(axes, curves, looks, columns)
    else:
        draw_legend(figure, looks, columns)
