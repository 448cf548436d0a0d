"""How figures look: one set of letters, lines, colours and widths, for a page's one column or two."""

import re
from functools import lru_cache
from typing import Any, Literal

from matplotlib.font_manager import findfont, get_font

Columns = Literal[1, 2]
WIDTH_IN: dict[Columns, float] = {1: 3.35, 2: 6.9}  # of a text block over one column and over two, inches
LABEL_PT: dict[Columns, float] = {1: 6, 2: 7}  # letters of names beside points
FONT = "DejaVu Sans"  # comes with matplotlib, so that every machine draws the same
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
    "text.parse_math": False,  # a name is text, whatever stands in it
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "wordways",
    "savefig.dpi": 150,
}


def line_in(columns: Columns) -> float:
    """From one name to the next, inches."""
    return 1.28 * LABEL_PT[columns] / 72


def letters_in(text: str, columns: Columns) -> float:
    """What a name takes, inches, and a little more."""
    return 0.0089 * LABEL_PT[columns] * len(text)


def margin_letters(columns: Columns) -> int:
    """The longest name that leaves a panel 1.2 inches wide its place."""
    return min(60, int((WIDTH_IN[columns] - 2.02) / letters_in("x", columns)))


def lettering(text: str, most: int) -> str:
    """A name as it can be drawn: in letters the font has, on one line, its middle left out where it is too long."""
    drawn = "".join(letter if ord(letter) in letters() else MISSING for letter in re.sub(r"\s+", " ", text))
    if len(drawn) <= most:
        return drawn
    return f"{drawn[: (most - 1) // 2]}…{drawn[-(most // 2) :]}"


@lru_cache(maxsize=1)
def letters() -> frozenset[int]:
    return frozenset(code for code in get_font(findfont(FONT)).get_charmap() if chr(code).isprintable())
