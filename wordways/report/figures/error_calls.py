"""Token error and sequence error against forward passes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from matplotlib.figure import Figure

from wordways.record import Record
from wordways.report import derive, likelihoods
from wordways.report.drawing import (
    End,
    draw_point,
    label_ends,
    panels_with_margin,
    plain_ticks,
)
from wordways.report.rows import Row, colours
from wordways.report.stats import Interval
from wordways.report.style import Columns

ORDER = 6
CAPTION = (
    "Error against forward passes: of single tokens (KL from the data distribution, along the data) and of whole texts."
)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Errors of configurations that sample in random order; a line joins those of a paradigm."""
    measured = [row for row in rows if row.over_seeds(likelihoods.token_error) and in_random_order(row.first())]
    if not measured:
        return None
    right = partial(derive.quality, metric="accuracy")
    panels = {
        "token error (nats)": likelihoods.token_error,
        "sequence error": lambda record: one_minus(right(record)),
    }
    figure, drawn = panels_with_margin(2, 2, 2.2, [row.label for row in rows], columns)
    for axes, (name, error) in zip(drawn, panels.items(), strict=True):
        ends, joined = [], {}
        for row in measured:
            x, y = row.over_seeds(derive.calls), row.over_seeds(error)
            if x is None or y is None:
                continue
            colour = colours([row.paradigm for row in rows])[row.paradigm]
            draw_point(axes, x, y, colour)
            joined.setdefault(colour, []).append((x.value, y.value))
            ends.append(End(x.value, y.value, row.label, row.paradigm))
        for colour, points in joined.items():
            axes.plot(*zip(*sorted(points), strict=True), color=colour, lw=0.8, zorder=1)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.set_title(name, loc="left", fontweight="bold")
        axes.set_xlabel("forward passes per text")
        plain_ticks(axes)
        label_ends(axes, ends, False, columns)
    return figure


def in_random_order(record: Record) -> bool:
    """Whether samples follow the model distribution, in random order or in the only order there is."""
    decoder = derive.decoder_of(record)
    free = decoder.get("order") in (None, "random") and decoder.get("threshold") is None
    return free and likelihoods.undistorted(record)


def one_minus(share: Interval | None) -> Interval | None:
    return share and replace(share, value=1 - share.value, low=1 - share.high, high=1 - share.low)
