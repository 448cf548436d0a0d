"""Quality against a number: a setting of the configurations, or of several tasks that differ in nothing else."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wordways.labels import axis
from wordways.report.drawing import Look
from wordways.report.quality_panels import Panel, Points, draw, panels_of
from wordways.report.rows import Row
from wordways.report.stats import without_interval
from wordways.report.style import Columns
from wordways.report.sweeps import Sweep, sweeps_of

ENOUGH = 3  # values from which on a sweep has a figure
FEW = 8  # values up to which each has a tick, where there is room
WIDE = 8  # ratio of the largest to the smallest value from which the axis is logarithmic


def settings_of(rows: Sequence[Row]) -> dict[str, list[Sweep]]:
    """By setting, the sweeps over it, where one of them has enough values."""
    found: dict[str, list[Sweep]] = {}
    for sweep in sweeps_of(rows):
        found.setdefault(sweep.setting, []).append(sweep)
    return {setting: sweeps for setting, sweeps in found.items() if len(sweeps[0].rows) >= ENOUGH}


def quality_over_sweep(setting: str, sweeps: Sequence[Sweep], columns: Columns) -> Figure | None:
    """Quality against a numeric setting of the configurations: a line for each sweep."""
    points: Points = {one.name: ([without_interval(x, 1) for x in one.values], one.rows) for one in sweeps}
    values = [value for one in sweeps for value in one.values]
    panels = panels_of([row for one in sweeps for row in one.rows], lambda _: points)
    if not panels:
        return None
    ticks = sorted(set(values))

    def finish(axes: Axes, *_: object) -> None:
        if len(ticks) <= FEW:
            axes.set_xticks(ticks)

    return draw(panels, columns, axis(setting), is_wide(values), finish=finish)


def quality_over_tasks(setting: str, at: Mapping[float, Sequence[Row]], columns: Columns) -> tuple[Figure, bool]:
    """Quality against a number of the task: a line for each configuration.

    Dashed, where a task takes several tokens for an answer: the probability that training masks a whole answer, the
    masking rate to the power of its tokens. Also returns whether it was drawn.
    """
    by_label: dict[str, list[tuple[float, Row]]] = {}
    for value, rows in at.items():
        for row in rows:
            by_label.setdefault(row.label, []).append((value, row))
    points: Points = {
        label: ([without_interval(value, 1) for value, _ in found], [row for _, row in found])
        for label, found in by_label.items()
    }
    panels = panels_of([row for rows in at.values() for row in rows], lambda _: points)
    rates = {
        label: rate
        for label, found in by_label.items()
        if setting == "tokens" and isinstance(rate := found[0][1].first().config["paradigm"].get("rate"), float)
    }

    def finish(axes: Axes, panel: Panel, looks: Mapping[str, Look]) -> None:
        axes.set_xticks(list(at))
        for label, rate in rates.items():
            colour = looks[label].colour if label in looks else "black"
            axes.plot(list(at), [rate**value for value in at], "--", color=colour, lw=0.8, zorder=1)

    return draw(panels, columns, axis(setting), is_wide(list(at)), finish=finish), bool(rates)


def is_wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > WIDE * min(values)
