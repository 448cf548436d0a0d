"""Shared parts of figures: panels, curves and their names; of many series eight have a colour, the rest are grey."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from wordways.report.rows import colours
from wordways.report.stats import Interval, without_interval
from wordways.report.style import (
    DASHES,
    GREY,
    LABEL_PT,
    LETTER_IN,
    LINE_IN,
    MARKERS,
    WIDTH_IN,
    Columns,
    lettering,
    letters_in,
    margin_letters,
)  # fmt: skip
from wordways.report.tradeoffs import unbeaten

NAMED = 8  # series with a colour, a marker and a name; further ones are grey
FULL = 0.5  # range of a share from which its axis goes from 0 to 1
FINE = 0.02  # of a share, or of the largest value: no axis is finer
LEFT, RIGHT, TOP, BETWEEN, AROUND, FOOT = 0.62, 0.1, 0.24, 0.5, 0.36, 0.4  # inches around and between panels
NEAR = 4  # ratio of the ends of a logarithmic axis up to which its ticks are those of a linear one
TICK_IN = 0.36  # inches that the number of a tick takes
HANDLE = 0.3  # inches from the sign of a series in a legend to its name


@dataclass(frozen=True)
class Curve:
    """A series: its name, its paradigm and its points, each with intervals. A line joins them in this order."""

    label: str
    paradigm: str
    xs: tuple[Interval, ...]
    ys: tuple[Interval, ...]

    def ends(self) -> list[tuple[float, float]]:
        return [(x.value, y.value) for x, y in zip(self.xs, self.ys, strict=True)]


@dataclass(frozen=True)
class Look:
    """What tells a series from others: the colour of its paradigm, and a marker and a dash that also differ in grey."""

    colour: str
    marker: str
    dash: str = "-"


def curve_at(label: str, paradigm: str, xs: Sequence[float], ys: Sequence[Interval]) -> Curve:
    """A series at known places, such as lengths."""
    return Curve(label, paradigm, tuple(without_interval(float(x), 1) for x in xs), tuple(ys))


def looks_of(panels: Sequence[Sequence[Curve]], higher_is_better: Sequence[bool]) -> dict[str, Look]:
    """The looks of the series that are named, over all panels of a figure."""
    paradigms = {curve.label: curve.paradigm for curves in panels for curve in curves}
    kept, colour = set(telling(panels, higher_is_better)), colours(list(paradigms.values()))
    named = [label for label in paradigms if label in kept]
    return {
        label: Look(colour[paradigms[label]], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, label in enumerate(named)
    }


def telling(panels: Sequence[Sequence[Curve]], higher_is_better: Sequence[bool], most: int = NAMED) -> list[str]:
    """The series to be named: of each paradigm the one that most often has a part in the Pareto front, then others."""
    paradigms = {curve.label: curve.paradigm for curves in panels for curve in curves}
    merit = dict.fromkeys(paradigms, 0.0)
    for curves, higher in zip(panels, higher_is_better, strict=True):
        every = [end for curve in curves for end in curve.ends()]
        front, best = set(unbeaten(every, higher)), sorted({y for _, y in every}, reverse=higher)
        for curve in curves:
            top = (max if higher else min)(y for _, y in curve.ends())
            merit[curve.label] += bool(front & set(curve.ends())) + 1 - best.index(top) / len(best)
    ranked = sorted(merit, key=lambda label: -merit[label])
    first = {paradigms[label]: label for label in reversed(ranked)}
    return sorted(ranked, key=lambda label: (label not in first.values(), -merit[label]))[:most]


def grid(count: int, labels: Sequence[str], columns: Columns, height: float = 1.55) -> tuple[Figure, list[Axes]]:
    """Panels of one size, in inches the same in every figure, with room below for a legend of these labels."""
    page = WIDTH_IN[columns]
    across = 1 if count == 1 else 2 if count in (2, 4) or columns == 1 else 3
    down, foot = -(-count // across), FOOT + LINE_IN * len(legend_lines(labels, columns)) + 0.04
    height = 1.4 * height if across == 1 and columns == 2 else height
    width = (page - LEFT - RIGHT - (across - 1) * BETWEEN) / across
    full = TOP + foot + down * height + (down - 1) * (TOP + AROUND)
    figure, panels = plt.figure(figsize=(page, full)), []
    for number in range(count):
        row, column = divmod(number, across)
        x, y = LEFT + column * (width + BETWEEN), full - TOP - height - row * (height + TOP + AROUND)
        panels.append(figure.add_axes((x / page, y / full, width / page, height / full)))
    return figure, panels


def label_below(figure: Figure, panels: Sequence[Axes], text: str) -> None:
    """The label of the horizontal axis, once for all panels."""
    places, (page, full) = [axes.get_position() for axes in panels], figure.get_size_inches()
    x = (min(place.x0 for place in places) + max(place.x1 for place in places)) / 2
    y = min(place.y0 for place in places) - 0.32 / full
    shown = lettering(text, int(page / LETTER_IN * LABEL_PT / 8))
    figure.text(x, y, shown, ha="center", va="center", fontsize=8)


def left_of(panels: Sequence[Axes]) -> list[Axes]:
    """The first panel of each row, which has the label of a vertical axis that all share."""
    first = min(axes.get_position().x0 for axes in panels)
    return [axes for axes in panels if axes.get_position().x0 < first + 1e-6]


def legend_lines(labels: Sequence[str], columns: Columns) -> list[list[tuple[float, str]]]:
    """The labels in lines that are as wide as the page, each with its place from the left, inches."""
    room, lines, x = WIDTH_IN[columns] - 0.1, list[list[tuple[float, str]]](), 0.0
    for label in labels:
        shown = lettering(label, int((room - HANDLE) / LETTER_IN))
        wide = HANDLE + letters_in(shown) + 0.15
        if not lines or x + wide > room:
            lines, x = [*lines, []], 0.0
        lines[-1].append((0.1 + x, shown))
        x += wide
    return lines


def draw_legend(figure: Figure, looks: Mapping[str, Look], columns: Columns) -> None:
    """One legend for all panels, below them."""
    page, full = figure.get_size_inches()
    lines, marks = legend_lines(list(looks), columns), iter(looks.values())
    for number, line in enumerate(lines):
        y = (0.06 + LINE_IN * (len(lines) - 1 - number) + LINE_IN / 2) / full
        for x, name in line:
            look, ends = next(marks), [(x) / page, (x + HANDLE - 0.05) / page]
            plain = {"color": look.colour, "transform": figure.transFigure}
            figure.add_artist(Line2D(ends, [y, y], ls=look.dash, lw=1, **plain))
            figure.add_artist(Line2D([sum(ends) / 2], [y], ls="", marker=look.marker, ms=4, **plain))
            figure.text((x + HANDLE) / page, y, name, fontsize=LABEL_PT, va="center")


def margin_panel(labels: Sequence[str], columns: Columns, height: float = 2.4) -> tuple[Figure, Axes]:
    """One panel with a right margin for the longest label, at least 1.2 inches wide."""
    page, top = WIDTH_IN[columns], 0.12
    margin = 0.2 + max(letters_in(lettering(label, margin_letters(columns))) for label in labels)
    full, width = top + FOOT + height, page - LEFT - margin
    figure = plt.figure(figsize=(page, full))
    return figure, figure.add_axes((LEFT / page, FOOT / full, width / page, height / full))


def scaled(interval: Interval, scale: float) -> Interval:
    return replace(interval, value=interval.value * scale, low=interval.low * scale, high=interval.high * scale)


def draw_points(axes: Axes, curve: Curve, look: Look | None, hollow: Container[tuple[float, float]] = ()) -> None:
    """Points joined by a line, with error bars, some of them hollow; a series without a name in grey, without bars."""
    xs, ys = zip(*curve.ends(), strict=True)
    if look is None:
        axes.plot(xs, ys, "o-", color=GREY, ms=2, lw=0.5, zorder=0)
        return
    sides = [[one.printed() for one in side] for side in (curve.xs, curve.ys)]
    reach = [[[one.value - one.low for one in side], [one.high - one.value for one in side]] for side in sides]
    axes.errorbar(
        xs, ys, xerr=reach[0], yerr=reach[1], fmt=look.marker, ls=look.dash, lw=0.8, color=look.colour, elinewidth=0.5,
        ms=4, zorder=2,
    )  # fmt: skip
    for x, y in curve.ends():
        if (x, y) in hollow:
            axes.plot(x, y, look.marker, color=look.colour, mfc="white", ms=4, mew=0.8, zorder=3)


def draw_band(axes: Axes, curve: Curve, look: Look | None) -> None:
    """A line with a band of its intervals; in grey and without a band where the series has no name."""
    xs, ys = zip(*curve.ends(), strict=True)
    if look is None:
        axes.plot(xs, ys, "-", color=GREY, lw=0.5, zorder=0)
        return
    axes.plot(xs, ys, marker=look.marker, ls=look.dash, color=look.colour, ms=4, lw=1)
    ys = [y.printed() for y in curve.ys]
    axes.fill_between(xs, [y.low for y in ys], [y.high for y in ys], color=look.colour, alpha=0.15, lw=0)


def cover(axes: Axes, curves: Sequence[Curve], share: bool) -> None:
    """Limits of the vertical axis: from 0 to 1 for a share that differs much, else what the data cover.

    Intervals count up to half of the values' range, so that one over few seeds does not compress the points.
    """
    values = [y for curve in curves for _, y in curve.ends()]
    low, high = min(values), max(values)
    if share and high - low > FULL:
        axes.set_ylim(-0.04, 1.04)
        return
    least = FINE * (1 if share else max(abs(low), abs(high)) or 1)
    room, ends = max((high - low) / 2, least), [y.printed() for curve in curves for y in curve.ys]
    bottom = max(low - room, min([low, *(y.low for y in ends)]))
    top = min(high + room, max([high, *(y.high for y in ends)]))
    lacking = max(0.0, least - (top - bottom)) / 2
    bottom, top = bottom - lacking, top + lacking
    if share:  # no place for what no share can be
        bottom, top = max(0.0, bottom - max(0.0, top - 1)), min(1.0, top + max(0.0, -bottom))
    pad = 0.08 * (top - bottom)
    axes.set_ylim(bottom - pad, top + pad)


def plain_ticks(axes: Axes) -> None:
    """As many plain numbers as there is room for: 0.5, 1, 2, 5 on logarithmic axes instead of powers of ten."""
    wide, high = axes.bbox.width / axes.figure.dpi, axes.bbox.height / axes.figure.dpi
    for axis, room in ((axes.xaxis, int(wide / TICK_IN)), (axes.yaxis, int(high / 0.28))):
        room, fixed = max(2, room), isinstance(axis.get_major_locator(), FixedLocator)
        low, top = axis.get_view_interval()
        if fixed:
            ticks = list(axis.get_majorticklocs())
            step = -(-len(ticks) // room)
            axis.set_ticks(ticks[::-1][::step][::-1])
        elif axis.get_scale() == "log" and top < NEAR * low:
            axis.set_major_locator(MaxNLocator(min(3, room)))
        elif axis.get_scale() == "log":
            subs = (1, 2, 5) if top / low < 20 else (1, 3) if top / low < 300 else (1,)
            axis.set_major_locator(LogLocator(subs=subs, numticks=room + 2))
        elif axis.get_scale() == "linear":
            axis.set_major_locator(MaxNLocator(min(5, room)))
        if axis.get_scale() != "symlog":
            axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
            axis.set_minor_formatter(NullFormatter())


def plain(value: float) -> str:
    """A tick's number without an exponent; thousands from ten thousand on."""
    value = round(value, 10)
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"


def head(axes: Axes, text: str) -> None:
    """A panel's heading, shortened to its width."""
    room = (axes.bbox.width / axes.figure.dpi + BETWEEN / 2) / (LETTER_IN * 8 / LABEL_PT * 1.15)
    axes.set_title(lettering(text, int(room)), loc="left", fontweight="bold")


def label_ends(axes: Axes, curves: Sequence[Curve], looks: Mapping[str, Look], columns: Columns) -> None:
    """Names in the right margin, each joined to the end of its curve by a thin line, moved apart until none overlap."""
    named = [curve for curve in curves if curve.label in looks]
    to_axes = axes.transData + axes.transAxes.inverted()
    axes.autoscale_view()
    spots = [to_axes.transform(curve.ends()[-1]) for curve in named]
    gap = LINE_IN * axes.figure.dpi / axes.bbox.height

    def place(i: int) -> tuple[float, float]:
        """Sort key from the bottom up; at equal height the leftmost point is outermost, so that no two lines cross."""
        x, y = spots[i]
        return round(y, 2), x if y > 0.5 else -x

    order = sorted(range(len(named)), key=place)
    heights = apart([spots[i][1] for i in order], gap)
    lines = [[tuple(spots[i]), (1.04, height)] for i, height in zip(order, heights, strict=True)]
    tints = [looks[named[i].label].colour for i in order]
    plain = {"lw": 0.4, "alpha": 0.6, "zorder": 0, "clip_on": False}
    axes.add_collection(LineCollection(lines, colors=tints, transform=axes.transAxes, **plain), autolim=False)
    for i, height, tint in zip(order, heights, tints, strict=True):
        name = lettering(named[i].label, margin_letters(columns))
        axes.text(1.05, height, name, transform=axes.transAxes, color=tint, va="center", fontsize=LABEL_PT)


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
