"""Net gain of revising decoders against forward passes."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from wordways.report import derive
from wordways.report.drawing import Curve, plain_ticks
from wordways.report.line_panels import line_panel, name_lines
from wordways.report.rows import Row
from wordways.report.style import Columns
from wordways.report.sweeps import sweeps_of

ORDER = 7
CAPTION = (
    "Net gain of revision (tokens corrected minus tokens corrupted) against forward passes. Bands: 95 % intervals."
)
PASSES = ("passes", "updates", "steps")  # settings that give a revising decoder's number of passes
TELLING = 0.01  # smaller net gains are drawn linearly, larger ones logarithmically
SHARES = (-1, -0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Net gain against forward passes; a line joins settings that differ only in their number.

    None where no text started from a draft, or no decoder was run with several numbers of passes.
    """
    net_gain, curves = partial(derive.quality, metric="net_gain"), []
    drafted = [row for row in rows if "net_gain" in row.first().scores]
    for sweep in sweeps_of(drafted):
        found = [(row.over_seeds(derive.calls), row.over_seeds(net_gain)) for row in sweep.rows]
        known = [(calls, gain) for calls, gain in found if calls is not None and gain is not None]
        if sweep.setting.rpartition(".")[2] in PASSES and len(known) > 1:
            known.sort(key=lambda point: point[0].value)
            curves.append(Curve(sweep.name, sweep.paradigm, *zip(*known, strict=True)))
    if not curves:
        return None
    figure, axes, looks = line_panel(curves, columns, True)
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted({x for curve in curves for x, _ in curve.ends()}))
    axes.set_xlabel("forward passes")
    axes.set_yscale("symlog", linthresh=TELLING)  # gains of decoders span orders of magnitude, with both signs
    axes.set_yticks([tick for tick in SHARES if axes.get_ylim()[0] <= tick <= axes.get_ylim()[1]])
    plain_ticks(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("net gain (share of words)")
    name_lines(figure, axes, curves, looks, columns)
    return figure
