"""Order maps."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wordways.report import derive
from wordways.report.rows import Row, colours
from wordways.report.style import LABEL_PT, LETTER_IN, LINE_IN, WIDTH_IN, Columns, lettering

ORDER = 8
CAPTION = (
    "Order maps: the forward pass at which a position took its final value; darker: more texts, of the panel's most."
)
FINEST = 48  # cells of a map at most, each way: more could not be told apart in print
MAPS = 8  # panels; of more configurations this many are drawn


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Share of traced texts by position and by the forward pass at which the position took its final value."""
    traced = [(row, settled) for row in rows if (settled := list(filter(any, derive.traced(row.first(), "settled"))))]
    if not traced:
        return None
    shown = [traced[i * len(traced) // min(MAPS, len(traced))] for i in range(min(MAPS, len(traced)))]
    calls, holes = (max(f(one) for _, settled in shown for one in settled) for f in (max, len))
    across = min((2 if len(shown) < 9 else 3) * columns, len(shown))
    down = -(-len(shown) // across)
    width, foot, each = WIDTH_IN[columns], 0.42, 1.15
    letters = int(width / across / LETTER_IN) - 1
    titles = [fill(lettering(row.label, 60).replace("_", "_ "), letters).replace("_ ", "_") for row, _ in shown]
    head = 0.13 + LINE_IN * max(title.count("\n") + 1 for title in titles)
    full = head + foot + down * each + (down - 1) * (head + 0.1)
    figure, grid = plt.subplots(down, across, figsize=(width, full), squeeze=False, sharex=True, sharey=True)
    figure.subplots_adjust(left=0.45 / width, right=1 - 0.05 / width, top=1 - head / full, bottom=foot / full)
    figure.subplots_adjust(wspace=0.12, hspace=(head + 0.1) / each)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, title, (row, settled) in zip(grid.flat, titles, shown, strict=False):
        high, wide = min(calls, FINEST), min(holes, FINEST)
        share = np.zeros((high, wide))
        for one in settled:
            np.add.at(share, ((np.array(one) - 1) * high // calls, np.arange(len(one)) * wide // holes), 1)
        colour = colours([row.paradigm for row in rows])[row.paradigm]
        shades = LinearSegmentedColormap.from_list(row.paradigm, ["white", colour])
        extent = (0.5, holes + 0.5, calls + 0.5, 0.5)
        axes.imshow(share, cmap=shades, vmin=0, vmax=share.max() or 1, aspect="auto", extent=extent)
        axes.set_title(title, loc="left", color=colour, fontsize=LABEL_PT)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for number, axes in enumerate(grid.flat[: len(shown)]):
        axes.tick_params(labelbottom=number + across >= len(shown))
    for axes in grid[:, 0]:
        axes.set_ylabel("pass")
    for axes in grid.flat[max(0, len(shown) - across) : len(shown)]:
        axes.set_xlabel("position")
    return figure
