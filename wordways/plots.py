"""Figures from records: direct labels, one colour a paradigm, vector and raster, the same bytes every time."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from wordways import derive, likelihoods
from wordways.oracles import lines_of
from wordways.record import Record, canonical
from wordways.rows import Row, colours, flatten, series_of
from wordways.stats import Interval
from wordways.tables import quality_columns

Cost = Callable[..., Interval | None]  # of a record and a stratum

DECODERS = 5  # of one checkpoint, from which on they make a figure of their own
PASSES = ("passes", "updates", "steps")  # what loops that revise call the number of their calls
TELLING = 0.01  # net gains below are drawn linearly, others by their logarithm
STROKES = ("-o", "--s", ":^", "-.D")  # tell a paradigm's loops apart, whose colour is one
SHARES = (-1, -0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
WIDTH_IN = 6.9  # the width of a text block over two columns, inches
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
LABEL_IN = 9 / 72  # from one label of 7-point letters to the next
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "wordways",
    "savefig.dpi": 200,
}


CAPTIONS = {
    "quality_latency": "Quality against latency per token at batch 1. Bars: 95 % intervals; diamonds: theory.",
    "quality_calls": "Quality against the backbone calls that writing a text takes.",
    "design_space": "All decoders of one checkpoint. Line: those that no other beats in both.",
    "latency_length": "End-to-end latency of texts forced to a length, batch 1. Bands: 95 % intervals of the median.",
    "accumulated_error": "Exposure bias: what a text's own past adds to the divergence from the exact law, as a share.",
    "error_calls": "Error against calls: of single tokens (KL from the exact law, along the data) and of whole texts.",
    "revision": "What loops mend of drafts minus what they spoil, against their calls R. Bands: 95 % intervals.",
    "order_map": "Order maps: the call at which a position took its final value; the darker, the more texts.",
}


def save_figures(rows: Sequence[Row], folder: Path) -> dict[str, str]:
    """Draws every figure the rows have data for into `folder`; returns their names, without endings, and captions."""
    folder.mkdir(parents=True, exist_ok=True)
    task, captions = rows[0].task, {}
    with plt.rc_context(STYLE):
        drawings = {
            "quality_latency": quality_against(rows, any_text, "latency per token, ms", 1e3),
            "quality_calls": quality_against(rows, derive.calls, "backbone calls a text", 1),
            "design_space": design_space(rows),
            "latency_length": latency_against_length(rows),
            "accumulated_error": accumulated_error(rows),
            "error_calls": error_against_calls(rows),
            "revision": revision(rows),
            "order_map": order_map(rows),
        }
        for name, figure in drawings.items():
            if figure is not None:
                captions[f"{name}_{task}"] = CAPTIONS[name]
                save(figure, folder / f"{name}_{task}")
    return captions


def save_series(rows: Sequence[Row], folder: Path) -> dict[str, str]:
    """The same for figures over several tasks that differ in one number."""
    folder.mkdir(parents=True, exist_ok=True)
    captions = {}
    with plt.rc_context(STYLE):
        for (task, setting), at in series_of(rows).items():
            name = f"quality_{setting}_{task}"
            captions[name] = f"Quality against {setting}, {task}. Bars: 95 % intervals; diamonds: theory."
            figure, by_rate = quality_against_setting(setting, at)
            if by_rate:
                captions[name] += (
                    " Dashed: the chance that training hides a whole answer, rate to the power of its tokens."
                )
            save(figure, folder / name)
    return captions


def save(figure: Figure, path: Path) -> None:
    """In vectors and in pixels; these in 256 colours, a third of the size and to the eye the same."""
    for ending, undated in UNDATED.items():
        figure.savefig(path.with_name(f"{path.name}.{ending}"), metadata=undated)
    pixels = io.BytesIO()
    figure.savefig(pixels, format="png")
    plt.close(figure)
    image = Image.open(pixels).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path.with_name(f"{path.name}.png"), optimize=True)


def quality_against_setting(setting: str, at: Mapping[float, Sequence[Row]]) -> tuple[Figure, bool]:
    """A panel a stratum, a line a row; and whether a masking rate was there to be drawn against."""
    every = [row for rows in at.values() for row in rows]
    columns, labels, by_rate = quality_columns(every), list(dict.fromkeys(row.label for row in every)), False
    figure, panels = panels_with_margin(len(columns), 2, 2.2, labels)
    for axes, (heading, metric, stratum) in zip(panels, columns, strict=True):
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
                draw_point(axes, Interval(value, value, value, "none", 1), interval, colour)
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
            ends.append((max(known), known[max(known)].value, label, colour))
        axes.set_ylim(-0.04, 1.04)
        axes.set_xticks(list(at))
        axes.set_title(heading, loc="left", fontweight="bold")
        axes.set_ylabel(metric)
        axes.set_xlabel(setting)
        label_ends(axes, ends)
    return figure, by_rate


def any_text(record: Record, stratum: str) -> Interval | None:
    """Latency per token is timed over all strata's texts together."""
    return derive.latency_per_token(record)


def design_space(rows: Sequence[Row]) -> Figure | None:
    """Quality against latency of all decoders of the checkpoint that has most; the front drawn.

    None where they are few, or settings of a single loop, whose own theory the other figures show.
    """
    by_checkpoint: dict[str, list[Row]] = {}
    for row in rows:
        by_checkpoint.setdefault(row.first().provenance.get("training", ""), []).append(row)
    most = max(by_checkpoint.values(), key=len)
    loops = {row.first().config["paradigm"]["decoder"].get("_target_") for row in most}
    if len(most) < DECODERS or len(loops) < 2:
        return None
    return quality_against(most, any_text, "latency per token, ms", 1e3, front=True)


def unbeaten(points: Sequence[tuple[float, float]], higher_is_better: bool) -> list[tuple[float, float]]:
    """The Pareto front: of (cost, quality) those than which no other is as cheap and better, cheapest first."""
    sign, kept = 1 if higher_is_better else -1, []
    for cost, quality in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not kept or sign * quality > sign * kept[-1][1]:
            kept.append((cost, quality))
    return kept


def quality_against(rows: Sequence[Row], cost: Cost, label: str, scale: float, front: bool = False) -> Figure | None:
    """A panel for each column of the quality table; bars are 95 % intervals, open diamonds what theory demands."""
    columns = quality_columns(rows)
    if not any(row.over_seeds(partial(cost, stratum=stratum)) for row in rows for _, _, stratum in columns):
        return None
    theory = {row.label: list(lines_of(row.first())) for row in rows}
    figure, panels = panels_with_margin(len(columns), 2, 1.75, [row.label for row in rows])
    for axes, (heading, metric, stratum) in zip(panels, columns, strict=True):
        ends = []
        for row in rows:
            x = row.over_seeds(partial(cost, stratum=stratum))
            y = row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum))
            if x is None or y is None:
                continue
            x = scaled(x, scale)
            colour = colours([row.paradigm for row in rows])[row.paradigm]
            draw_point(axes, x, y, colour)
            exact = [e["theory"] for e in theory[row.label] if (e["measure"], e["operation"]) == (metric, stratum)]
            axes.plot([x.value] * len(exact), exact, "D", mfc="none", mec="black", mew=0.6, ms=6, zorder=3)
            ends.append((x.value, y.value, row.label, colour))
        if front:
            best = unbeaten([(x, y) for x, y, _, _ in ends], rows[0].first().scores[metric]["higher_is_better"])
            axes.plot(*zip(*best, strict=True), color="black", lw=0.6, zorder=1)
        axes.set_xscale("log")
        if rows[0].first().scores[metric]["unit"] == "share":
            axes.set_ylim(-0.04, 1.04)
        else:
            axes.set_ylim(bottom=0)
        axes.set_title(heading, loc="left", fontweight="bold")
        axes.set_ylabel(metric)
        plain_ticks(axes)
        label_ends(axes, ends)
    for axes in panels[-2:]:
        axes.set_xlabel(label)
    return figure


def latency_against_length(rows: Sequence[Row]) -> Figure | None:
    """End-to-end latency of texts forced to a length, batch 1, both axes logarithmic; bands are 95 % intervals."""
    measured = [(row, lengths) for row in rows if (lengths := derive.latency_by_length(row.first()))]
    if not measured:
        return None
    figure, (axes,) = panels_with_margin(1, 1, 2.8, [row.label for row in rows])
    ends = []
    for row, lengths in measured:
        colour = colours([row.paradigm for row in rows])[row.paradigm]
        times = [scaled(interval, 1e3) for interval in lengths.values()]
        draw_curve(axes, list(lengths), times, colour)
        ends.append((max(lengths), times[-1].value, row.label, colour))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted({length for _, lengths in measured for length in lengths}))
    axes.set_xlabel("tokens written")
    axes.set_ylabel("end-to-end latency, ms")
    plain_ticks(axes)
    label_ends(axes, ends)
    return figure


def accumulated_error(rows: Sequence[Row]) -> Figure | None:
    """ExAccErr against commitments made; bands are 95 % intervals."""
    measured = [
        (row, errors)
        for row in rows
        if (errors := likelihoods.accumulated_error(row.first())) and likelihoods.undistorted(row.first())
    ]
    if not measured:
        return None
    figure, (axes,) = panels_with_margin(1, 1, 2.8, [row.label for row in rows])
    ends = []
    for row, errors in measured:
        colour, steps = colours([row.paradigm for row in rows])[row.paradigm], range(1, len(errors) + 1)
        draw_curve(axes, steps, errors, colour)
        ends.append((len(errors), errors[-1].value, row.label, colour))
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xlabel("tokens committed")
    axes.set_ylabel("excess accumulated error")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    label_ends(axes, ends)
    return figure


def error_against_calls(rows: Sequence[Row]) -> Figure | None:
    """Token error and sequence error against calls, of rows that draw in random order; a paradigm's are joined."""
    measured = [row for row in rows if row.over_seeds(likelihoods.token_error) and in_random_order(row.first())]
    if not measured:
        return None
    right = partial(derive.quality, metric="accuracy")
    panels = {
        "token error, nats": likelihoods.token_error,
        "sequence error": lambda record: one_minus(right(record)),
    }
    figure, drawn = panels_with_margin(2, 2, 2.2, [row.label for row in rows])
    for axes, (name, error) in zip(drawn, panels.items(), strict=True):
        ends, joined = [], {}
        for row in measured:
            x, y = row.over_seeds(derive.calls), row.over_seeds(error)
            if x is None or y is None:
                continue
            colour = colours([row.paradigm for row in rows])[row.paradigm]
            draw_point(axes, x, y, colour)
            joined.setdefault(colour, []).append((x.value, y.value))
            ends.append((x.value, y.value, row.label, colour))
        for colour, points in joined.items():
            axes.plot(*zip(*sorted(points), strict=True), color=colour, lw=0.8, zorder=1)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.set_title(name, loc="left", fontweight="bold")
        axes.set_xlabel("backbone calls a text")
        plain_ticks(axes)
        label_ends(axes, ends)
    return figure


def revision(rows: Sequence[Row]) -> Figure | None:
    """Net gain against calls; a line joins settings that differ in nothing but how many; bands are 95 % intervals.

    None where no text started from a draft, or no loop was given different numbers of calls.
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
    figure, (axes,) = panels_with_margin(1, 1, 2.8, list(joined))
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
        ends.append((xs[-1], ys[-1].value, name, colour))
        ticks |= set(xs)
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(ticks))
    axes.set_xlabel("backbone calls R")
    axes.set_yscale("symlog", linthresh=TELLING)  # one loop may ruin a text where another mends a word in a hundred
    axes.set_yticks([tick for tick in SHARES if axes.get_ylim()[0] <= tick <= axes.get_ylim()[1]])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("net gain, share of words")
    plain_ticks(axes)
    label_ends(axes, ends)
    return figure


def loop_name(label: str) -> str:
    """A row's label without the number of its calls."""
    return " ".join(part for part in label.split() if part.partition("=")[0] not in PASSES)


def in_random_order(record: Record) -> bool:
    """Or in the only order there is; drawn from the model's own law."""
    decoder = record.config["paradigm"]["decoder"]
    free = decoder.get("order") in (None, "random") and decoder.get("threshold") is None
    return free and likelihoods.undistorted(record)


def one_minus(share: Interval | None) -> Interval | None:
    return share and replace(share, value=1 - share.value, low=1 - share.high, high=1 - share.low)


def order_map(rows: Sequence[Row]) -> Figure | None:
    """Position against the call at which it took its final value: the share of traced texts in which it did so."""
    shown = [(row, settled) for row in rows if (settled := derive.traced(row.first(), "settled"))]
    if not shown:
        return None
    calls, holes = (max(f(one) for _, settled in shown for one in settled) for f in (max, len))
    across = min(4, len(shown))
    down = -(-len(shown) // across)
    figure, grid = plt.subplots(
        down, across, figsize=(WIDTH_IN, 0.35 + 1.75 * down), squeeze=False, sharex=True, sharey=True
    )
    figure.subplots_adjust(
        left=0.07, right=0.99, top=1 - 0.25 / (0.35 + 1.75 * down), bottom=0.42 / (0.35 + 1.75 * down)
    )
    figure.subplots_adjust(wspace=0.12, hspace=0.4)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, (row, settled) in zip(grid.flat, shown, strict=False):
        share = np.zeros((calls, holes))
        for one in settled:
            share[np.array(one) - 1, np.arange(len(one))] += 1
        share /= np.maximum(1, share.sum(0))
        colour = colours([row.paradigm for row in rows])[row.paradigm]
        shades = LinearSegmentedColormap.from_list(row.paradigm, ["white", colour])
        extent = (0.5, holes + 0.5, calls + 0.5, 0.5)
        axes.imshow(share, cmap=shades, vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
        axes.set_title(fill(row.label, 28), loc="left", color=colour, fontweight="bold", fontsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel("call")
    for axes in grid[-1, :]:
        axes.set_xlabel("position")
    return figure


def panels_with_margin(count: int, across: int, height: float, labels: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Panels `height` inches high, or as high as all labels, each with room on its right for the longest label."""
    height = max(height, LABEL_IN * len(set(labels)))
    left, top, bottom, between, least = 0.62, 0.25, 0.4, 0.45, 1.2
    margin = 0.2 + 0.062 * max(map(len, labels))  # inches that 7-point letters take
    across = min(across, count) if WIDTH_IN / across - left - margin >= least else 1
    down = -(-count // across)
    width = max(least, WIDTH_IN / across - left - margin)
    full = top + bottom + down * height + (down - 1) * between
    figure = plt.figure(figsize=(WIDTH_IN, full))
    panels = []
    for number in range(count):
        row, column = divmod(number, across)
        x, y = column * WIDTH_IN / across + left, full - top - height - row * (height + between)
        panels.append(figure.add_axes((x / WIDTH_IN, y / full, width / WIDTH_IN, height / full)))
    return figure, panels


def scaled(interval: Interval, scale: float) -> Interval:
    return replace(interval, value=interval.value * scale, low=interval.low * scale, high=interval.high * scale)


def draw_point(axes: Axes, x: Interval, y: Interval, colour: str) -> None:
    reach = [[[i.value - i.low], [i.high - i.value]] for i in (x, y)]
    axes.errorbar(x.value, y.value, xerr=reach[0], yerr=reach[1], fmt="o", color=colour, elinewidth=0.8, zorder=2)


def draw_curve(axes: Axes, xs: Sequence[float], ys: Sequence[Interval], colour: str, stroke: str = "-o") -> None:
    axes.plot(xs, [y.value for y in ys], stroke, color=colour)
    axes.fill_between(xs, [y.low for y in ys], [y.high for y in ys], color=colour, alpha=0.15, lw=0)


def plain_ticks(axes: Axes) -> None:
    """0.5, 1, 2, 5 rather than powers of ten."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
            low, high = axis.get_view_interval()
            if high / low < 1000 and not isinstance(axis.get_major_locator(), FixedLocator):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names in the right margin, a thin line from each to its point, moved apart until none overlap."""
    to_axes = axes.transData + axes.transAxes.inverted()
    axes.autoscale_view()
    spots = [to_axes.transform((x, y)) for x, y, _, _ in ends]
    gap = LABEL_IN * axes.figure.dpi / axes.bbox.height

    def place(i: int) -> tuple[float, float]:
        """From the bottom up; of points at one height the leftmost farthest out, so that no two lines cross."""
        x, y = spots[i]
        return round(y, 2), x if y > 0.5 else -x

    order = sorted(range(len(ends)), key=place)
    for i, height in zip(order, apart([spots[i][1] for i in order], gap), strict=True):
        x, y, name, colour = ends[i]
        line = {
            "arrowstyle": "-",
            "color": colour,
            "lw": 0.4,
            "alpha": 0.6,
            "shrinkA": 0,
            "shrinkB": 2,
            "relpos": (0, 0.5),
        }
        axes.annotate(
            name, (x, y), xytext=(1.05, height), textcoords="axes fraction", color=colour, va="center", fontsize=7,
            arrowprops=line, annotation_clip=False,
        )  # fmt: skip


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
