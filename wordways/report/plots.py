"""Draws every figure for which there are data, as vector and raster graphics, byte-identical on every build."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from wordways.labels import axis, spoken
from wordways.report.drawing import BARS, NAMES
from wordways.report.kinds import kinds
from wordways.report.rows import Row, series_of
from wordways.report.series import quality_against_setting
from wordways.report.style import STYLE, UNDATED, Columns

SOME_NAMED = (
    " Each panel names {names} of {rows} configurations: the Pareto front, each paradigm's best and fastest, then "
    "others."
)
SOME_BARS = " Dots without bars: the rest."


def save_figures(rows: Sequence[Row], folder: Path, columns: Columns = 2) -> dict[str, str]:
    """Draws every kind of figure into `folder`; returns captions by file name without extension."""
    folder.mkdir(parents=True, exist_ok=True)
    captions = {}
    with plt.rc_context(STYLE):
        for kind in kinds("figures"):
            drawn = kind.figure(rows, columns)
            if drawn is not None:
                name = f"{kind.__name__.rpartition('.')[2]}_{rows[0].task}"
                captions[name] = caption_of(kind.CAPTION, len(rows), getattr(kind, "MAPS", None))
                save(drawn, folder / name)
    return captions


def caption_of(caption: str, rows: int, maps: int | None) -> str:
    """A caption, with a note on which of many configurations the figure shows."""
    if maps is not None:
        return caption + (f" {maps} of {rows} configurations." if rows > maps else "")
    some = SOME_NAMED.format(rows=rows, names=NAMES) if rows > NAMES else ""
    return caption + some + (SOME_BARS if rows > BARS else "")


def save_series(rows: Sequence[Row], folder: Path, columns: Columns = 2) -> dict[str, str]:
    """As `save_figures`, for figures over several tasks that differ in one number."""
    folder.mkdir(parents=True, exist_ok=True)
    captions = {}
    with plt.rc_context(STYLE):
        for (task, setting), at in series_of(rows).items():
            name = f"quality_{setting}_{task}"
            captions[name] = (
                f"{spoken(task)}: quality against {axis(setting)}. Bars: 95 % intervals; diamonds: analytic values."
            )
            figure, by_rate = quality_against_setting(setting, at, columns)
            if by_rate:
                captions[name] += (
                    " Dashed: probability that training masks a whole answer, the masking rate to the power of its "
                    "tokens."
                )
            save(figure, folder / name)
    return captions


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
