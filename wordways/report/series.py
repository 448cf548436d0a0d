"""Quality against a setting of the task, over several tasks that differ only in that number."""

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.figure import Figure

from wordways.labels import axis
from wordways.report import derive
from wordways.report.drawing import (
    End,
    draw_point,
    label_ends,
    panels_with_margin,
)
from wordways.report.oracles import lines_of
from wordways.report.quality_panels import better, panel_columns
from wordways.report.rows import Row, colours
from wordways.report.stats import without_interval
from wordways.report.style import Columns


def quality_against_setting(setting: str, at: Mapping[float, Sequence[Row]], columns: Columns) -> tuple[Figure, bool]:
    """A panel for each stratum, a line for each configuration; also whether a curve by masking rate was drawn."""
    every = [row for rows in at.values() for row in rows]
    strata, labels, by_rate = panel_columns(every), list(dict.fromkeys(row.label for row in every)), False
    figure, panels = panels_with_margin(len(strata), 2, 2.2, labels, columns)
    for axes, (heading, metric, stratum) in zip(panels, strata, strict=True):
        ends = []
        for label in labels:
            rows = {value: row for value, rows in at.items() for row in rows if row.label == label}
            found = {
                v: row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum)) for v, row in rows.items()
            }
            known = {value: interval for value, interval in found.items() if interval is not None}
            if not known:
                continue
            first = next(iter(rows.values()))
            colour = colours([row.paradigm for row in every])[first.paradigm]
            for value, interval in known.items():
                draw_point(axes, without_interval(value, 1), interval, colour)
                lines = [
                    x for x in lines_of(rows[value].first()) if (x["measure"], x["operation"]) == (metric, stratum)
                ]
                exact = [line["theory"] for line in lines]
                axes.plot([value] * len(exact), exact, "D", mfc="none", mec="black", mew=0.6, ms=6, zorder=3)
            axes.plot(list(known), [interval.value for interval in known.values()], color=colour, lw=0.8, zorder=1)
            rate = first.first().config["paradigm"].get("rate")
            if rate is not None and setting == "tokens":
                axes.plot(list(known), [rate**value for value in known], "--", color=colour, lw=0.8, zorder=1)
                by_rate = True
            ends.append(End(max(known), known[max(known)].value, label, first.paradigm))
        axes.set_ylim(-0.04, 1.04)
        axes.set_xticks(list(at))
        axes.set_title(heading, loc="left", fontweight="bold")
        axes.set_ylabel(metric)
        axes.set_xlabel(axis(setting))
        label_ends(axes, ends, better(every, metric), columns)
    return figure, by_rate
