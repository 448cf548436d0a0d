"""Shared parts of figures: panels with a margin for labels, points, bands, ticks, labels without overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from wordways.report.rows import colours
from wordways.report.stats import Interval
from wordways.report.style import LABEL_PT, WIDTH_IN, Columns, lettering, letters_in, line_in, margin_letters
from wordways.report.tradeoffs import unbeaten

NAMES = 14  # labels beside a panel; of more configurations the most informative are labelled
BARS = 40  # configurations with error bars; of more only those labelled have them, the others are dots


@dataclass(frozen=True)
class End:
    """A point to be labelled: its coordinates, label and paradigm."""

    x: float
    y: float
    label: str
    paradigm: str


def telling(ends: Sequence[End], higher_is_better: bool, most: int) -> list[End]:
    """At most `most` points to be labelled: the Pareto front, each paradigm's best and fastest, then others."""
    if len(ends) <= most:
        return list(ends)
    sign, front = 1 if higher_is_better else -1, set(unbeaten([(end.x, end.y) for end in ends], higher_is_better))
    kept = [end for end in ends if (end.x, end.y) in front]
    for paradigm in dict.fromkeys(end.paradigm for end in ends):
        own = [end for end in ends if end.paradigm == paradigm]
        kept += [max(own, key=lambda end: sign * end.y), min(own, key=lambda end: end.x)]
    return list(dict.fromkeys([*kept, *ends]))[:most]


def panels_with_margin(
    count: int, across: int, height: float, labels: Sequence[str], columns: Columns = 2
) -> tuple[Figure, list[Axes]]:
    """Panels `height` inches high, or as high as the labels of one, with right margins for the longest label."""
    height = max(height, line_in(columns) * min(NAMES, len(set(labels))))
    page, left, top, bottom, between, least = WIDTH_IN[columns], 0.62, 0.25, 0.4, 0.45, 1.2
    margin = 0.2 + max(letters_in(lettering(label, margin_letters(columns)), columns) for label in labels)
    across = min(across, count) if page / across - left - margin >= least else 1
    down, width = -(-count // across), page / across - left - margin
    full = top + bottom + down * height + (down - 1) * between
    figure = plt.figure(figsize=(page, full))
    panels = []
    for number in range(count):
        row, column = divmod(number, across)
        x, y = column * page / across + left, full - top - height - row * (height + between)
        panels.append(figure.add_axes((x / page, y / full, width / page, height / full)))
    return figure, panels


def across_of(panels: Sequence[Axes]) -> int:
    """The number of panels side by side."""
    return len({round(axes.get_position().x0, 6) for axes in panels})


def scaled(interval: Interval, scale: float) -> Interval:
    return replace(interval, value=interval.value * scale, low=interval.low * scale, high=interval.high * scale)


def draw_point(axes: Axes, x: Interval, y: Interval, colour: str) -> None:
    reach = [[[i.value - i.low], [i.high - i.value]] for i in (x, y)]
    axes.errorbar(x.value, y.value, xerr=reach[0], yerr=reach[1], fmt="o", color=colour, elinewidth=0.8, zorder=2)


def draw_curve(axes: Axes, xs: Sequence[float], ys: Sequence[Interval], colour: str, stroke: str = "-o") -> None:
    axes.plot(xs, [y.value for y in ys], stroke, color=colour)
    axes.fill_between(xs, [y.low for y in ys], [y.high for y in ys], color=colour, alpha=0.15, lw=0)


def plain_ticks(axes: Axes) -> None:
    """Labels logarithmic axes with 0.5, 1, 2, 5 instead of powers of ten."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
            low, high = axis.get_view_interval()
            if high / low < 1000 and not isinstance(axis.get_major_locator(), FixedLocator):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))


def draw_curves(
    axes: Axes, curves: Mapping[End, tuple[Sequence[int], Sequence[Interval]]], higher_is_better: bool
) -> list[End]:
    """Draws all curves, or only those labelled where there are too many; returns the ends of those drawn."""
    drawn = telling(list(curves), higher_is_better, NAMES if len(curves) > BARS else BARS)
    colour = colours([end.paradigm for end in drawn])
    for end in drawn:
        draw_curve(axes, *curves[end], colour[end.paradigm])
    return drawn


def label_ends(axes: Axes, ends: Sequence[End], higher_is_better: bool, columns: Columns) -> None:
    """Labels in the right margin, each joined to its point by a thin line, moved apart until none overlap."""
    ends, colour = telling(ends, higher_is_better, NAMES), colours([end.paradigm for end in ends])
    to_axes = axes.transData + axes.transAxes.inverted()
    axes.autoscale_view()
    spots = [to_axes.transform((end.x, end.y)) for end in ends]
    gap = line_in(columns) * axes.figure.dpi / axes.bbox.height

    def place(i: int) -> tuple[float, float]:
        """Sort key from the bottom up; at equal height the leftmost point is outermost, so that no two lines cross."""
        x, y = spots[i]
        return round(y, 2), x if y > 0.5 else -x

    order = sorted(range(len(ends)), key=place)
    heights = apart([spots[i][1] for i in order], gap)
    lines = [[tuple(spots[i]), (1.04, height)] for i, height in zip(order, heights, strict=True)]
    tints = [colour[ends[i].paradigm] for i in order]
    plain = {"lw": 0.4, "alpha": 0.6, "zorder": 0, "clip_on": False}
    axes.add_collection(LineCollection(lines, colors=tints, transform=axes.transAxes, **plain), autolim=False)
    for i, height, tint in zip(order, heights, tints, strict=True):
        name, size = lettering(ends[i].label, margin_letters(columns)), LABEL_PT[columns]
        axes.text(1.05, height, name, transform=axes.transAxes, color=tint, va="center", fontsize=size)


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places at least `gap` from each other, none above 1 unless they do not fit below."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else max(place, 0.0))
    ceiling = max(1.0, gap * (len(moved) - 1))
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - gap
    return moved
