"""Draws every figure for which there are data, as vector and raster graphics, byte-identical on every build."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from wordways.labels import axis, file_name, spoken
from wordways.report import theory_figure
from wordways.report.drawing import NAMED
from wordways.report.kinds import kinds, rows_for
from wordways.report.rows import Row, series_of
from wordways.report.series import quality_over_sweep, quality_over_tasks, settings_of
from wordways.report.style import GREY, STYLE, UNDATED, Columns

SOME = (
    " {names} series are named, at least one of each paradigm and those that have a part in most Pareto fronts; grey: "
    "the others."
)
SWEEP = "{title}: quality against {axis}; a line joins what differs in nothing else. Bars: 95 % intervals"
EXACT = "; diamonds: analytic values."
WHOLE = " Dashed: probability that training masks a whole answer, the masking rate to the power of its tokens."


def save_figures(
    rows: Sequence[Row], folder: Path, columns: Columns = 2, baselines: Sequence[Row] = ()
) -> dict[str, str]:
    """Draws all figures of one task into `folder`; returns captions by file name without extension.

    baselines: the task's trivial baselines, for figures that tell which rows surpass them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    captions, task = {}, rows[0].task
    with plt.rc_context(STYLE):
        for kind in kinds("figures"):
            drawn = kind.figure(rows_for(kind, rows, baselines), columns)
            if drawn is not None:
                name = f"{kind.__name__.rpartition('.')[2]}_{task}"
                captions[name] = caption_of(kind.CAPTION, drawn, len(rows), getattr(kind, "MAPS", None))
                save(drawn, folder / name)
        for setting, sweeps in settings_of(rows).items():
            drawn = quality_over_sweep(setting, sweeps, columns)
            if drawn is not None:
                name = f"sweep_{file_name(setting.rpartition('.')[2])}_{task}"
                name = f"sweep_{file_name(setting)}_{task}" if name in captions else name
                said = SWEEP.format(title=rows[0].title, axis=axis(setting)) + EXACT
                captions[name] = caption_of(said, drawn, len(rows), None)
                save(drawn, folder / name)
    return captions


def save_series(rows: Sequence[Row], folder: Path, columns: Columns = 2) -> dict[str, str]:
    """As `save_figures`, for figures over several tasks that differ in one number."""
    folder.mkdir(parents=True, exist_ok=True)
    captions = {}
    with plt.rc_context(STYLE):
        for (task, setting), at in series_of(rows).items():
            drawn, by_rate = quality_over_tasks(setting, at, columns)
            name = f"quality_{file_name(setting)}_{task}"
            said = SWEEP.format(title=spoken(task), axis=axis(setting)) + EXACT + WHOLE * by_rate
            captions[name] = caption_of(said, drawn, len(rows), None)
            save(drawn, folder / name)
    return captions


def save_theory(lines: Sequence[Mapping[str, Any]], folder: Path, columns: Columns = 2) -> dict[str, str]:
    """As `save_figures`, of all checks against analytic values."""
    with plt.rc_context(STYLE):
        drawn = theory_figure.figure(lines, columns)
        if drawn is None:
            return {}
        save(drawn, folder / "theory")
    return {"theory": theory_figure.CAPTION}


def caption_of(caption: str, figure: Figure, rows: int, maps: int | None) -> str:
    """A caption, with a note on which of many configurations the figure shows or names."""
    if maps is not None:
        return caption + (f" {maps} of {rows} configurations." if rows > maps else "")
    grey = any(to_hex(line.get_color()) == GREY.lower() for axes in figure.axes for line in axes.lines)
    return caption + SOME.format(names=NAMED) * grey


def save(figure: Figure, path: Path) -> None:
    """PDF, SVG without indentation, and PNG in 256 colours, a third of the size without visible loss."""
    drawn = {}
    for ending in ("pdf", "svg", "png"):
        figure.savefig(whole := io.BytesIO(), format=ending, metadata=UNDATED.get(ending))
        drawn[ending] = whole
    plt.close(figure)
    path.with_name(f"{path.name}.pdf").write_bytes(drawn["pdf"].getvalue())
    path.with_name(f"{path.name}.svg").write_bytes(re.sub(rb"\n +", b"\n", drawn["svg"].getvalue()))
    image = Image.open(drawn["png"]).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path.with_name(f"{path.name}.png"), optimize=True)
