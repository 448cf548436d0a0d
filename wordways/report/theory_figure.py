"""All checks of a folder against analytic values as one figure: what theory says across, what was measured upwards."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wordways.labels import spoken
from wordways.report.drawing import Look, draw_legend, grid, head, label_below, left_of, plain_ticks
from wordways.report.rows import colours
from wordways.report.style import BAD, GREY, LABEL_PT, MARKERS, Columns

NAMED = 8  # paradigms with a colour
KINDS = {  # of measures that share a panel: its heading
    "accuracy": "accuracy",
    "nats_per_token": "NLL (nats/token)",
    "exact_nats_per_token": "NLL (nats/token)",
    "kl": "KL (nats/token)",
    "reverse_kl": "KL (nats/token)",
    "gap_bits": "gap (bits)",
}
CAPTION = (
    "Every measurement that has an analytic value, against this value. Bars: 95 % intervals; red circles: outside the "
    "tolerance."
)


def figure(lines: Sequence[Mapping[str, Any]], columns: Columns) -> Figure | None:
    """lines: of `oracle_lines`; None without any."""
    panels: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        panels.setdefault(KINDS.get(line["measure"]) or line["measure"], []).append(line)
    if not panels:
        return None
    paradigms = [name for name in colours([]) if any(line["paradigm"] == name for line in lines)][:NAMED]
    looks = {
        spoken(name): Look(colours([])[name], marker, "") for name, marker in zip(paradigms, MARKERS, strict=False)
    }
    figure, places = grid(len(panels), list(looks), columns)
    for axes, (heading, found) in zip(places, panels.items(), strict=True):
        draw_checks(axes, heading, found, looks)
    for axes in left_of(places):
        axes.set_ylabel("measured")
    label_below(figure, places, "analytic")
    draw_legend(figure, looks, columns)
    return figure


def draw_checks(axes: Axes, heading: str, lines: Sequence[Mapping[str, Any]], looks: Mapping[str, Look]) -> None:
    ends = [line[name] for line in lines for name in ("theory", "measured")]
    pad = 0.06 * (max(ends) - min(ends)) or 0.1
    limits = (min(ends) - pad, max(ends) + pad)
    axes.plot(limits, limits, color="black", lw=0.5, zorder=0)
    by_look: dict[Look, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_look.setdefault(looks.get(spoken(line["paradigm"]), Look(GREY, "o")), []).append(line)
    for look, found in by_look.items():  # one call a look, because thousands of calls take a minute
        theory, measured, low, high = ([line[name] for line in found] for name in ("theory", "measured", "low", "high"))
        reach = [below(measured, low), below(high, measured)]
        axes.errorbar(
            theory, measured, yerr=reach, color=look.colour, marker=look.marker, ms=3, mew=0, alpha=0.6, ls="none",
            elinewidth=0.5,
        )  # fmt: skip
    missed = [(line["theory"], line["measured"]) for line in lines if not line["holds"]]
    if missed:
        axes.plot(*zip(*missed, strict=True), "o", mfc="none", mec=BAD, mew=0.8, ms=7, zorder=3)
    axes.set(xlim=limits, ylim=limits)
    head(axes, heading)
    count = f"{len(lines) - len(missed)} of {len(lines)}"
    axes.text(0.04, 0.96, count, transform=axes.transAxes, va="top", fontsize=LABEL_PT)
    plain_ticks(axes)


def below(upper: Sequence[float], lower: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(upper, lower, strict=True)]
