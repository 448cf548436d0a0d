"""The figure of the benchmark: how much of the machine's limit every decoder reaches, by size of the model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from wordways.report import stats
from wordways.report.drawing import Curve, curve_at, plain_ticks
from wordways.report.line_panels import line_panel, name_lines
from wordways.report.plots import save
from wordways.report.stats import Interval
from wordways.report.style import STYLE, Columns
from wordways.speed.lines import Line

NAME = "share_of_limit"


def save_figure(lines: Sequence[Line], folder: Path) -> None:
    """Draws PDF, SVG and PNG where there is something to draw."""
    with plt.rc_context(STYLE):
        if (drawn := figure(lines, 2)) is not None:
            save(drawn, folder / NAME)


def figure(lines: Sequence[Line], columns: Columns) -> Figure | None:
    """Roofline time / measured time against the number of parameters; None without measures of it."""
    found = list(curves(lines))
    if not found:
        return None
    drawn, axes, looks = line_panel(found, columns, True)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("parameters (millions)")
    axes.set_ylabel("share of the machine's limit")
    plain_ticks(axes)
    name_lines(drawn, axes, found, looks, columns)
    return drawn


def curves(lines: Sequence[Line]) -> Iterator[Curve]:
    """Our decoders, and dashed the `generate` of transformers; all with the largest number of threads in the lines."""
    threads = max((int(line.setting["threads"]) for line in lines if line.name == "limits"), default=0)
    alike = [line for line in lines if line.setting["threads"] == threads and line.setting["batch"] == 1]
    by_title: dict[str, list[Line]] = {}
    for line in alike:
        if line.name == "limits":
            by_title.setdefault(str(line.setting["title"]), []).append(line)
    for title, ours in by_title.items():
        yield curve(ours, "ours", title)
    if by_title and (theirs := [line for line in alike if line.name == "generate"]):
        yield curve(theirs, "theirs", theirs[0].against)


def curve(lines: Sequence[Line], side: Literal["ours", "theirs"], label: str) -> Curve:
    points = sorted(
        ((int(line.setting["parameters"]) / 1e6, share(line, side)) for line in lines), key=lambda point: point[0]
    )
    xs, ys = zip(*points, strict=True)
    return curve_at(label, str(lines[0].setting["paradigm"]), xs, ys)


def share(line: Line, side: Literal["ours", "theirs"]) -> Interval:
    return stats.median([line.ideal / seconds for seconds in line.seconds[side]])
