"""Figures of quality against a cost, with a panel for each column of the quality table."""

from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.figure import Figure

from wordways.record import Record
from wordways.report import derive
from wordways.report.columns import metrics_of, quality_columns
from wordways.report.drawing import (
    BARS,
    NAMES,
    End,
    across_of,
    draw_point,
    label_ends,
    panels_with_margin,
    plain_ticks,
    scaled,
    telling,
)
from wordways.report.oracles import lines_of
from wordways.report.rows import Row, colours
from wordways.report.stats import Interval
from wordways.report.style import Columns
from wordways.report.tradeoffs import unbeaten

Cost = Callable[..., Interval | None]  # of a record and a stratum


def any_text(record: Record, stratum: str) -> Interval | None:
    """Latency per token, which is timed over the texts of all strata together."""
    return derive.latency_per_token(record)


def better(rows: Sequence[Row], metric: str) -> bool:
    """Whether higher values of the metric are better."""
    return bool(metrics_of(rows)[metric]["higher_is_better"])


def panel_columns(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """The columns of the quality table whose metric has a better direction."""
    known = metrics_of(rows)
    return [column for column in quality_columns(rows) if known[column[1]]["higher_is_better"] is not None]


def quality_against(
    rows: Sequence[Row], cost: Cost, label: str, scale: float, columns: Columns, front: bool = False
) -> Figure | None:
    """A panel for each column of the quality table; bars are 95 % intervals, open diamonds analytic values."""
    strata, colour = panel_columns(rows), colours([row.paradigm for row in rows])
    if not any(row.over_seeds(partial(cost, stratum=stratum)) for row in rows for _, _, stratum in strata):
        return None
    figure, panels = panels_with_margin(len(strata), 2, 1.75, [row.label for row in rows], columns)
    for axes, (heading, metric, stratum) in zip(panels, strata, strict=True):
        points: dict[End, tuple[Interval, Interval]] = {}
        for row in rows:
            x = row.over_seeds(partial(cost, stratum=stratum))
            y = row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum))
            if x is not None and y is not None:
                x = scaled(x, scale)
                points[End(x.value, y.value, row.label, row.paradigm)] = x, y
        named = telling(list(points), better(rows, metric), NAMES)
        barred = set(named if len(points) > BARS else points)
        dots = [end for end in points if end not in barred]
        axes.scatter(
            [end.x for end in dots], [end.y for end in dots], s=4, lw=0, c=[colour[end.paradigm] for end in dots],
            alpha=0.4, zorder=1,
        )  # fmt: skip
        for end in points:
            if end in barred:
                draw_point(axes, *points[end], colour[end.paradigm])
        exact = {
            (points[end][0].value, line["theory"])
            for row in rows
            for end in barred
            if end.label == row.label
            for line in lines_of(row.first())
            if (line["measure"], line["operation"]) == (metric, stratum)
        }
        for x, y in sorted(exact):
            axes.plot(x, y, "D", mfc="none", mec="black", mew=0.6, ms=6, zorder=3)
        if front:
            best = unbeaten([(end.x, end.y) for end in points], better(rows, metric))
            axes.plot(*zip(*best, strict=True), color="black", lw=0.6, zorder=1)
        axes.set_xscale("log")
        if points:  # over few seeds a bar may reach 0 and would compress the points
            axes.set_xlim(min(end.x for end in points) / 1.6, max(end.x for end in points) * 1.6)
        if metrics_of(rows)[metric]["unit"] == "share":
            axes.set_ylim(-0.04, 1.04)
        else:
            axes.set_ylim(bottom=0)
        axes.set_title(heading, loc="left", fontweight="bold")
        axes.set_ylabel(metric)
        plain_ticks(axes)
        label_ends(axes, list(points), better(rows, metric), columns)
    for axes in panels[-across_of(panels) :]:
        axes.set_xlabel(label)
    return figure
