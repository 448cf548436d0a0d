"""The style of figures: one set of fonts, lines, colours and widths, for one or two columns of a page."""

import re
from functools import lru_cache
from typing import Any, Literal

from matplotlib.font_manager import findfont, get_font

Columns = Literal[1, 2]
WIDTH_IN: dict[Columns, float] = {1: 3.35, 2: 6.9}  # text width of one column and of two, inches
LABEL_PT: dict[Columns, float] = {1: 6, 2: 7}  # font size of labels beside points
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
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "text.parse_math": False,  # labels are plain text, whatever characters they contain
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "wordways",
    "savefig.dpi": 150,
}


def line_in(columns: Columns) -> float:
    """Distance between two lines of labels, inches."""
    return 1.28 * LABEL_PT[columns] / 72


def letters_in(text: str, columns: Columns) -> float:
    """Width of a label with a small margin, inches."""
    return 0.0089 * LABEL_PT[columns] * len(text)


def margin_letters(columns: Columns) -> int:
    """Characters of the longest label that leaves room for a panel 1.2 inches wide."""
    return min(60, int((WIDTH_IN[columns] - 2.02) / letters_in("x", columns)))


def lettering(text: str, most: int) -> str:
    """A label as it can be drawn: on one line, unsupported characters replaced, the middle of a long one elided."""
    drawn = "".join(letter if ord(letter) in letters() else MISSING for letter in re.sub(r"\s+", " ", text))
    if len(drawn) <= most:
        return drawn
    return f"{drawn[: (most - 1) // 2]}…{drawn[-(most // 2) :]}"


@lru_cache(maxsize=1)
def letters() -> frozenset[int]:
    return frozenset(code for code in get_font(findfont(FONT)).get_charmap() if chr(code).isprintable())
