"""Figures from records: direct labels, one colour a paradigm, vector and raster, the same bytes every time."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from textwrap import fill

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from wordways.record import Record, canonical
from wordways.report import derive, likelihoods
from wordways.report.oracles import lines_of
from wordways.report.rows import Row, colours, flatten, series_of
from wordways.report.stats import Interval
from wordways.report.style import (
    LABEL_PT,
    STYLE,
    UNDATED,
    WIDTH_IN,
    Columns,
    lettering,
    letters_in,
    line_in,
    margin_letters,
)
from wordways.report.tables import metrics_of, quality_columns
from wordways.report.tradeoffs import unbeaten

Cost = Callable[..., Interval | None]  # of a record and a stratum

DECODERS = 5  # of one checkpoint, from which on they make a figure of their own
NAMES = 14  # beside a panel; of more rows the most telling are named
BARS = 40  # rows; of more only those named have bars, the others are dots
MAPS = 24
PASSES = ("passes", "updates", "steps")  # what loops that revise call the number of their calls
TELLING = 0.01  # net gains below are drawn linearly, others by their logarithm
STROKES = ("-o", "--s", ":^", "-.D")  # tell a paradigm's loops apart, whose colour is one
SHARES = (-1, -0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


CAPTIONS = {
    "quality_latency": (
        "Quality against latency per token at batch 1. Bars: 95 % intervals, cut at the frame; diamonds: theory."
    ),
    "quality_calls": "Quality against the backbone calls that writing a text takes.",
    "design_space": "All decoders of one checkpoint. Line: those that no other beats in both.",
    "latency_length": "End-to-end latency of texts forced to a length, batch 1. Bands: 95 % intervals of the median.",
    "accumulated_error": "Exposure bias: what a text's own past adds to the divergence from the exact law, as a share.",
    "error_calls": "Error against calls: of single tokens (KL from the exact law, along the data) and of whole texts.",
    "revision": "What loops mend of drafts minus what they spoil, against their calls R. Bands: 95 % intervals.",
    "order_map": "Order maps: the call at which a position took its final value; the darker, the more texts.",
}


SOME_NAMED = (
    " Of {rows} rows each panel names {names}: those that no other beats in both, each paradigm's best and its "
    "fastest, then others; colours: paradigms."
)
SOME_BARS = " Dots without bars: the rest."
SOME_MAPS = " {names} of {rows} rows."


def caption_of(name: str, rows: int) -> str:
    if name == "order_map":
        return CAPTIONS[name] + (SOME_MAPS.format(rows=rows, names=MAPS) if rows > MAPS else "")
    some = SOME_NAMED.format(rows=rows, names=NAMES) if rows > NAMES else ""
    return CAPTIONS[name] + some + (SOME_BARS if rows > BARS else "")


def save_figures(rows: Sequence[Row], folder: Path, columns: Columns = 2) -> dict[str, str]:
    """Draws every figure the rows have data for into `folder`; returns their names, without endings, and captions."""
    folder.mkdir(parents=True, exist_ok=True)
    task, captions = rows[0].task, {}
    with plt.rc_context(STYLE):
        drawings = {
            "quality_latency": quality_against(rows, any_text, "latency per token, ms", 1e3, columns),
            "quality_calls": quality_against(rows, derive.calls, "backbone calls a text", 1, columns),
            "design_space": design_space(rows, columns),
            "latency_length": latency_against_length(rows, columns),
            "accumulated_error": accumulated_error(rows, columns),
            "error_calls": error_against_calls(rows, columns),
            "revision": revision(rows, columns),
            "order_map": order_map(rows, columns),
        }
        for name, figure in drawings.items():
            if figure is not None:
                captions[f"{name}_{task}"] = caption_of(name, len(rows))
                save(figure, folder / f"{name}_{task}")
    return captions


def save_series(rows: Sequence[Row], folder: Path, columns: Columns = 2) -> dict[str, str]:
    """The same for figures over several tasks that differ in one number."""
    folder.mkdir(parents=True, exist_ok=True)
    captions = {}
    with plt.rc_context(STYLE):
        for (task, setting), at in series_of(rows).items():
            name = f"quality_{setting}_{task}"
            captions[name] = f"Quality against {setting}, {task}. Bars: 95 % intervals; diamonds: theory."
            figure, by_rate = quality_against_setting(setting, at, columns)
            if by_rate:
                captions[name] += (
                    " Dashed: the chance that training hides a whole answer, rate to the power of its tokens."
                )
            save(figure, folder / name)
    return captions


def save(figure: Figure, path: Path) -> None:
    """In vectors, an SVG without its indents; in pixels, 256 colours, a third of the size and to the eye the same."""
    drawn = {}
    for ending in ("pdf", "svg", "png"):
        figure.savefig(whole := io.BytesIO(), format=ending, metadata=UNDATED.get(ending))
        drawn[ending] = whole
    plt.close(figure)
    path.with_name(f"{path.name}.pdf").write_bytes(drawn["pdf"].getvalue())
    path.with_name(f"{path.name}.svg").write_bytes(re.sub(rb"\n +", b"\n", drawn["svg"].getvalue()))
    image = Image.open(drawn["png"]).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path.with_name(f"{path.name}.png"), optimize=True)


@dataclass(frozen=True)
class End:
    """A point to be named: where it is, its name and paradigm."""

    x: float
    y: float
    label: str
    paradigm: str


def quality_against_setting(setting: str, at: Mapping[float, Sequence[Row]], columns: Columns) -> tuple[Figure, bool]:
    """A panel a stratum, a line a row; and whether a masking rate was there to be drawn against."""
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
            ends.append(End(max(known), known[max(known)].value, label, first.paradigm))
        axes.set_ylim(-0.04, 1.04)
        axes.set_xticks(list(at))
        axes.set_title(heading, loc="left", fontweight="bold")
        axes.set_ylabel(metric)
        axes.set_xlabel(setting)
        label_ends(axes, ends, better(every, metric), columns)
    return figure, by_rate


def any_text(record: Record, stratum: str) -> Interval | None:
    """Latency per token is timed over all strata's texts together."""
    return derive.latency_per_token(record)


def design_space(rows: Sequence[Row], columns: Columns) -> Figure | None:
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
    return quality_against(most, any_text, "latency per token, ms", 1e3, columns, front=True)


def better(rows: Sequence[Row], metric: str) -> bool:
    """Is more of it better?"""
    return bool(metrics_of(rows)[metric]["higher_is_better"])


def panel_columns(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Those of the quality table of which it is known what is better."""
    known = metrics_of(rows)
    return [column for column in quality_columns(rows) if known[column[1]]["higher_is_better"] is not None]


def telling(ends: Sequence[End], higher_is_better: bool, most: int) -> list[End]:
    """As many of these as can be named: those that no other beats, each paradigm's best and fastest, then others."""
    if len(ends) <= most:
        return list(ends)
    sign, front = 1 if higher_is_better else -1, set(unbeaten([(end.x, end.y) for end in ends], higher_is_better))
    kept = [end for end in ends if (end.x, end.y) in front]
    for paradigm in dict.fromkeys(end.paradigm for end in ends):
        own = [end for end in ends if end.paradigm == paradigm]
        kept += [max(own, key=lambda end: sign * end.y), min(own, key=lambda end: end.x)]
    return list(dict.fromkeys([*kept, *ends]))[:most]


def quality_against(
    rows: Sequence[Row], cost: Cost, label: str, scale: float, columns: Columns, front: bool = False
) -> Figure | None:
    """A panel for each column of the quality table; bars are 95 % intervals, open diamonds what theory demands."""
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
        if points:  # over few seeds a bar may reach to 0, and would leave no room for the points
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


def latency_against_length(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """End-to-end latency of texts forced to a length, batch 1, both axes logarithmic; bands are 95 % intervals."""
    measured = [(row, lengths) for row in rows if (lengths := derive.latency_by_length(row.first()))]
    if not measured:
        return None
    figure, (axes,) = panels_with_margin(1, 1, 2.8, [row.label for row in rows], columns)
    curves = {}
    for row, lengths in measured:
        times = [scaled(interval, 1e3) for interval in lengths.values()]
        curves[End(max(lengths), times[-1].value, row.label, row.paradigm)] = list(lengths), times
    ends = draw_curves(axes, curves, False)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted({length for _, lengths in measured for length in lengths}))
    axes.set_xlabel("tokens written")
    axes.set_ylabel("end-to-end latency, ms")
    plain_ticks(axes)
    label_ends(axes, ends, False, columns)
    return figure


def accumulated_error(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """ExAccErr against commitments made; bands are 95 % intervals."""
    measured = [
        (row, errors)
        for row in rows
        if (errors := likelihoods.accumulated_error(row.first())) and likelihoods.undistorted(row.first())
    ]
    if not measured:
        return None
    figure, (axes,) = panels_with_margin(1, 1, 2.8, [row.label for row in rows], columns)
    curves = {
        End(len(errors), errors[-1].value, row.label, row.paradigm): (range(1, len(errors) + 1), errors)
        for row, errors in measured
    }
    ends = draw_curves(axes, curves, False)
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xlabel("tokens committed")
    axes.set_ylabel("excess accumulated error")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    label_ends(axes, ends, False, columns)
    return figure


def error_against_calls(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Token error and sequence error against calls, of rows that draw in random order; a paradigm's are joined."""
    measured = [row for row in rows if row.over_seeds(likelihoods.token_error) and in_random_order(row.first())]
    if not measured:
        return None
    right = partial(derive.quality, metric="accuracy")
    panels = {
        "token error, nats": likelihoods.token_error,
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
        axes.set_xlabel("backbone calls a text")
        plain_ticks(axes)
        label_ends(axes, ends, False, columns)
    return figure


def revision(rows: Sequence[Row], columns: Columns) -> Figure | None:
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
    axes.set_xlabel("backbone calls R")
    axes.set_yscale("symlog", linthresh=TELLING)  # one loop may ruin a text where another mends a word in a hundred
    axes.set_yticks([tick for tick in SHARES if axes.get_ylim()[0] <= tick <= axes.get_ylim()[1]])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("net gain, share of words")
    plain_ticks(axes)
    label_ends(axes, ends, True, columns)
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


def order_map(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Position against the call at which it took its final value: the share of traced texts in which it did so."""
    traced = [(row, settled) for row in rows if (settled := derive.traced(row.first(), "settled"))]
    if not traced:
        return None
    shown = [traced[i * len(traced) // min(MAPS, len(traced))] for i in range(min(MAPS, len(traced)))]
    calls, holes = (max(f(one) for _, settled in shown for one in settled) for f in (max, len))
    across = min((2 if len(shown) < 9 else 3) * columns, len(shown))
    down = -(-len(shown) // across)
    width, foot, each = WIDTH_IN[columns], 0.42, 1.15
    letters = int(width / across / letters_in("x", 1)) - 1
    titles = [fill(lettering(row.label, 60).replace("_", "_ "), letters).replace("_ ", "_") for row, _ in shown]
    head = 0.13 + line_in(1) * max(title.count("\n") + 1 for title in titles)
    full = head + foot + down * each + (down - 1) * (head + 0.1)
    figure, grid = plt.subplots(down, across, figsize=(width, full), squeeze=False, sharex=True, sharey=True)
    figure.subplots_adjust(left=0.45 / width, right=1 - 0.05 / width, top=1 - head / full, bottom=foot / full)
    figure.subplots_adjust(wspace=0.12, hspace=(head + 0.1) / each)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, title, (row, settled) in zip(grid.flat, titles, shown, strict=False):
        share = np.zeros((calls, holes))
        for one in settled:
            share[np.array(one) - 1, np.arange(len(one))] += 1
        share /= np.maximum(1, share.sum(0))
        colour = colours([row.paradigm for row in rows])[row.paradigm]
        shades = LinearSegmentedColormap.from_list(row.paradigm, ["white", colour])
        extent = (0.5, holes + 0.5, calls + 0.5, 0.5)
        axes.imshow(share, cmap=shades, vmin=0, vmax=1, aspect="auto", extent=extent)
        axes.set_title(title, loc="left", color=colour, fontsize=LABEL_PT[1])
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for number, axes in enumerate(grid.flat[: len(shown)]):
        axes.tick_params(labelbottom=number + across >= len(shown))
    for axes in grid[:, 0]:
        axes.set_ylabel("call")
    for axes in grid.flat[max(0, len(shown) - across) : len(shown)]:
        axes.set_xlabel("position")
    return figure


def panels_with_margin(
    count: int, across: int, height: float, labels: Sequence[str], columns: Columns = 2
) -> tuple[Figure, list[Axes]]:
    """Panels `height` inches high, or as high as the names beside one, each with room on its right for the longest."""
    height = max(height, line_in(columns) * min(NAMES, len(set(labels))))
    page, left, top, bottom, between, least = WIDTH_IN[columns], 0.62, 0.25, 0.4, 0.45, 1.2
    margin = 0.2 + max(letters_in(lettering(label, margin_letters(columns)), columns) for label in labels)
    across = min(across, count) if page / across - left - margin >= least else 1
    down, width = -(-count // across), page / across - left - margin
    full = top + bottom + down * height + (down - 1) * between
    figure = plt.figure(figsize=(page, full))
    panels = []
    for number in range(count):
        row, column = divmod(number, across)
        x, y = column * page / across + left, full - top - height - row * (height + between)
        panels.append(figure.add_axes((x / page, y / full, width / page, height / full)))
    return figure, panels


def across_of(panels: Sequence[Axes]) -> int:
    """How many stand beside each other."""
    return len({round(axes.get_position().x0, 6) for axes in panels})


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


def draw_curves(
    axes: Axes, curves: Mapping[End, tuple[Sequence[int], Sequence[Interval]]], higher_is_better: bool
) -> list[End]:
    """All curves, or of more than can be told apart those that are named; returns the ends of what it drew."""
    drawn = telling(list(curves), higher_is_better, NAMES if len(curves) > BARS else BARS)
    colour = colours([end.paradigm for end in drawn])
    for end in drawn:
        draw_curve(axes, *curves[end], colour[end.paradigm])
    return drawn


def label_ends(axes: Axes, ends: Sequence[End], higher_is_better: bool, columns: Columns) -> None:
    """Names in the right margin, a thin line from each to its point, moved apart until none overlap."""
    ends, colour = telling(ends, higher_is_better, NAMES), colours([end.paradigm for end in ends])
    to_axes = axes.transData + axes.transAxes.inverted()
    axes.autoscale_view()
    spots = [to_axes.transform((end.x, end.y)) for end in ends]
    gap = line_in(columns) * axes.figure.dpi / axes.bbox.height

    def place(i: int) -> tuple[float, float]:
        """From the bottom up; of points at one height the leftmost farthest out, so that no two lines cross."""
        x, y = spots[i]
        return round(y, 2), x if y > 0.5 else -x

    order = sorted(range(len(ends)), key=place)
    heights = apart([spots[i][1] for i in order], gap)
    lines = [[tuple(spots[i]), (1.04, height)] for i, height in zip(order, heights, strict=True)]
    tints = [colour[ends[i].paradigm] for i in order]
    plain = {"lw": 0.4, "alpha": 0.6, "zorder": 0, "clip_on": False}
    axes.add_collection(LineCollection(lines, colors=tints, transform=axes.transAxes, **plain), autolim=False)
    for i, height, tint in zip(order, heights, tints, strict=True):
        name, size = lettering(ends[i].label, margin_letters(columns)), LABEL_PT[columns]
        axes.text(1.05, height, name, transform=axes.transAxes, color=tint, va="center", fontsize=size)


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
