"""Net gain of revising decoders against forward passes."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from wordways.labels import flatten, titled
from wordways.record import canonical
from wordways.report import derive
from wordways.report.drawing import (
    End,
    draw_curve,
    label_ends,
    panels_with_margin,
    plain_ticks,
)
from wordways.report.rows import Row, colours
from wordways.report.style import Columns

ORDER = 7
CAPTION = (
    "Net gain of revision (tokens corrected minus tokens corrupted) against forward passes. Bands: 95 % intervals."
)
PASSES = ("passes", "updates", "steps")  # settings that give a revising decoder's number of passes
COUNTED = (*PASSES, "pass", "update", "step")  # as labels count them
TELLING = 0.01  # smaller net gains are drawn linearly, larger ones logarithmically
STROKES = ("-o", "--s", ":^", "-.D")  # distinguish decoders of one paradigm, which share a colour
SHARES = (-1, -0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Net gain against forward passes; a line joins settings that differ only in their number.

    None where no text started from a draft, or no decoder was run with several numbers of passes.
    """
    net_gain = partial(derive.quality, metric="net_gain")
    loops: dict[str, list[Row]] = {}
    for row in rows:
        if "net_gain" in row.first().scores:
            settings = {"preset": row.first().config["preset"]} | flatten(row.first().config)
            alike = {name: value for name, value in settings.items() if name.rpartition(".")[2] not in PASSES}
            loops.setdefault(canonical(alike), []).append(row)
    joined = {loop_name(of_loop[0].label): of_loop for of_loop in loops.values() if len(of_loop) > 1}
    if not joined:
        return None
    figure, (axes,) = panels_with_margin(1, 1, 2.8, list(joined), columns)
    ends, ticks = [], set()
    for name, of_loop in joined.items():
        found = [
            (calls.value, gain)
            for row in of_loop
            if (calls := row.over_seeds(derive.calls)) and (gain := row.over_seeds(net_gain))
        ]
        xs, ys = zip(*sorted(found, key=lambda point: point[0]), strict=True)
        colour = colours([row.paradigm for row in rows])[of_loop[0].paradigm]
        draw_curve(axes, xs, ys, colour, STROKES[len(ends) % len(STROKES)])
        ends.append(End(xs[-1], ys[-1].value, name, of_loop[0].paradigm))
        ticks |= set(xs)
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(ticks))
    axes.set_xlabel("forward passes")
    axes.set_yscale("symlog", linthresh=TELLING)  # gains of decoders span orders of magnitude, with both signs
    axes.set_yticks([tick for tick in SHARES if axes.get_ylim()[0] <= tick <= axes.get_ylim()[1]])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("net gain (share of words)")
    plain_ticks(axes)
    label_ends(axes, ends, True, columns)
    return figure


def loop_name(label: str) -> str:
    """A label without the number of passes: `diffusion (mask-predict)` of `diffusion (mask-predict, 10 passes)`."""
    title, _, inside = label.removesuffix(")").partition(" (")
    return titled(title, [part for part in inside.split(", ") if part and part.rpartition(" ")[2] not in COUNTED])
