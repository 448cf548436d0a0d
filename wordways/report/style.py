"""The style of figures: one set of fonts, lines, colours and widths, for one or two columns of a page."""

import re
from functools import lru_cache
from typing import Any, Literal

from matplotlib.font_manager import findfont, get_font

Columns = Literal[1, 2]
WIDTH_IN: dict[Columns, float] = {1: 3.35, 2: 6.9}  # text width of one column and of two, inches
LABEL_PT = 7  # font size of names and ticks, the smallest that is read in print
LETTER_IN = 0.0089 * LABEL_PT  # width of a letter in names of mixed letters with a small margin, inches
LINE_IN = 1.28 * LABEL_PT / 72  # distance between two lines of names, inches
GREY = "#B5B5B5"  # of series that have no name
BAD = "#B3261E"  # around what missed its analytic value
MARKERS = "os^DvPX*"  # one for each series of a figure, so that they differ without colour
DASHES = ("-", "--", ":", "-.")
FONT = "DejaVu Sans"  # comes with matplotlib, so that figures are the same on every machine
MISSING = "\N{WHITE SQUARE}"
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
STYLE: Any = {
    "font.family": FONT,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.labelsize": LABEL_PT,
    "ytick.labelsize": LABEL_PT,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "text.parse_math": False,  # labels are plain text, whatever characters they contain
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "wordways",
    "savefig.dpi": 150,
}


def letters_in(text: str) -> float:
    """Width of a name, inches."""
    font = get_font(findfont(FONT))
    font.set_size(LABEL_PT, 72)
    font.set_text(text)
    return font.get_width_height()[0] / 64 / 72


def margin_letters(columns: Columns) -> int:
    """Characters of the longest name that leaves room for a panel 1.2 inches wide."""
    return min(60, int((WIDTH_IN[columns] - 2.02) / LETTER_IN))


def lettering(text: str, most: int) -> str:
    """A label as it can be drawn: on one line, unsupported characters replaced, the middle of a long one elided."""
    drawn = "".join(letter if ord(letter) in letters() else MISSING for letter in re.sub(r"\s+", " ", text))
    if len(drawn) <= most:
        return drawn
    return f"{drawn[: (most - 1) // 2]}…{drawn[-(most // 2) :]}"


@lru_cache(maxsize=1)
def letters() -> frozenset[int]:
    return frozenset(code for code in get_font(findfont(FONT)).get_charmap() if chr(code).isprintable())
