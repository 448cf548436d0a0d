"""Figures of quality against a cost or a setting, with a panel for each column of the quality table."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wordways.record import Record
from wordways.report import derive
from wordways.report.columns import metrics_of, quality_columns
from wordways.report.drawing import (
    Curve,
    Look,
    cover,
    draw_legend,
    draw_points,
    grid,
    head,
    label_below,
    left_of,
    looks_of,
    plain_ticks,
    scaled,
)  # fmt: skip
from wordways.report.gates import gate_of
from wordways.report.oracles import lines_of
from wordways.report.rows import Row, trained
from wordways.report.stats import Interval
from wordways.report.style import Columns
from wordways.report.sweeps import in_sweeps
from wordways.report.tradeoffs import unbeaten

Cost = Callable[..., Interval | None]  # of a record and a stratum
Points = Mapping[str, tuple[Sequence[Interval], Sequence[Row]]]
"""By label of a series, its places on the horizontal axis and the rows measured there."""


@dataclass(frozen=True)
class Panel:
    """A column of the quality table as a panel.

    exact: analytic values beside the points.  below: points of rows below the gate of their task.
    """

    heading: str
    metric: str
    unit: str
    higher_is_better: bool
    curves: Sequence[Curve]
    exact: Sequence[tuple[float, float]] = ()
    below: frozenset[tuple[float, float]] = frozenset()


@derive.of_timing
def any_text(record: Record, stratum: str | None) -> Interval | None:
    """Latency per token, which is timed over the texts of all strata together."""
    return derive.latency_per_token(record)


def quality_against(
    rows: Sequence[Row], cost: Cost, label: str, scale: float, columns: Columns, front: bool = False
) -> Figure | None:
    """A line for each sweep over a number, a point for each other row.

    front: joins the Pareto front of the rows that pass the gate; the task's trivial baselines are among the rows then.
    """
    below = {row.label for row in rows if gate_of(row, rows)} if front else set[str]()
    rows = trained(rows)

    def points(stratum: str | None) -> Points:
        found = {}
        for sweep in in_sweeps(rows):
            costs = [row.over_seeds(partial(cost, stratum=stratum)) for row in sweep.rows]
            known = [(scaled(x, scale), row) for x, row in zip(costs, sweep.rows, strict=True) if x is not None]
            if known:
                found[sweep.label] = tuple(zip(*known, strict=True))
        return found

    drawn = panels_of(rows, points, below) if len(rows) > 1 else []  # a single point answers no question
    return draw(drawn, columns, label, True, front) if drawn else None


def panel_columns(rows: Sequence[Row]) -> list[tuple[str, str, str | None]]:
    """The columns of the quality table whose metric has a better direction."""
    known = metrics_of(rows)
    return [column for column in quality_columns(rows) if known[column[1]]["higher_is_better"] is not None]


def panels_of(
    rows: Sequence[Row], points: Callable[[str | None], Points], unranked: Container[str] = ()
) -> list[Panel]:
    """The panels that are not empty.  unranked: labels of rows below the gate."""
    known, panels = metrics_of(rows), []
    for heading, metric, stratum in panel_columns(rows):
        curves, exact, below = [], [], set[tuple[float, float]]()
        for label, (xs, of_rows) in points(stratum).items():
            ys = [row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum)) for row in of_rows]
            both = [(x, y, row) for x, y, row in zip(xs, ys, of_rows, strict=True) if y is not None]
            if both:
                known_xs, known_ys = tuple(x for x, *_ in both), tuple(y for _, y, _ in both)
                curves.append(Curve(label, both[0][2].paradigm, known_xs, known_ys))
                below |= {(x.value, y.value) for x, y, row in both if row.label in unranked}
                exact += [
                    (x.value, line["theory"])
                    for x, _, row in both
                    for line in lines_of(row.first())
                    if (line["measure"], line["operation"]) == (metric, stratum)
                ]
        if curves:
            unit, higher = known[metric]["unit"], bool(known[metric]["higher_is_better"])
            panels.append(Panel(heading, metric, unit, higher, curves, sorted(set(exact)), frozenset(below)))
    return panels


def draw(
    panels: Sequence[Panel],
    columns: Columns,
    label: str,
    log: bool,
    front: bool = False,
    finish: Callable[[Axes, Panel, Mapping[str, Look]], None] | None = None,
) -> Figure:
    """label: of the horizontal axis.  finish: adds to a panel what no other figure has."""
    looks = looks_of([panel.curves for panel in panels], [panel.higher_is_better for panel in panels])
    figure, places = grid(len(panels), list(looks), columns)
    for axes, panel in zip(places, panels, strict=True):
        draw_panel(axes, panel, front)
        for curve in panel.curves:
            draw_points(axes, curve, looks.get(curve.label), panel.below)
        xs = [x for curve in panel.curves for x, _ in curve.ends()]
        if log:  # over few seeds a bar may reach 0 and would compress the points
            axes.set_xscale("log")
            axes.set_xlim(min(xs) / 1.3, max(xs) * 1.3)
        if finish is not None:
            finish(axes, panel, looks)
        plain_ticks(axes)
    shared = len({panel.metric for panel in panels}) == 1
    for axes in left_of(places) if shared else []:
        axes.set_ylabel(panels[0].metric)
    label_below(figure, places, label)
    draw_legend(figure, looks, columns)
    return figure


def draw_panel(axes: Axes, panel: Panel, front: bool) -> None:
    """All of a panel but its series: heading, limits, analytic values, the Pareto front."""
    for x, y in panel.exact:
        axes.plot(x, y, "D", mfc="none", mec="black", mew=0.5, ms=6, zorder=3)
    if front:
        ranked = [end for curve in panel.curves for end in curve.ends() if end not in panel.below]
        for best in [unbeaten(ranked, panel.higher_is_better)] * bool(ranked):
            axes.plot(*zip(*best, strict=True), color="black", lw=3, alpha=0.12, zorder=0, solid_capstyle="round")
    head(axes, panel.heading)
    cover(axes, panel.curves, panel.unit == "share")
