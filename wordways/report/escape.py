"""Escapes names and texts of any origin for Markdown, LaTeX and a terminal."""

import re
import unicodedata
from typing import Any

import pandas as pd

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}", "#": r"\#", "$": r"\$", "%": r"\%", "&": r"\&", "|": r"\textbar{}", "<": r"\textless{}",
    ">": r"\textgreater{}", '"': "''", "`": r"\textasciigrave{}", "'": "'", "[": "{[}", "]": "{]}",
    "≈": r"$\approx$", "±": r"$\pm$", "–": "--", "×": r"$\times$", "✗": r"$\times$", "⇄": r"$\leftrightarrow$",
    "…": r"\ldots{}",
}  # fmt: skip
NUMBER = r"[+-]?\.?\d[\d.,]*(e[+-]?\d+)?"
SIGNED = re.compile(rf"{NUMBER}( ?%)?( to {NUMBER})?")  # cells that may begin with a sign
# Bidirectional controls, which would reverse the text that follows.
DIRECTION = {*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}


def visible(text: str) -> str:
    """The text with terminal and bidirectional control characters replaced by their code points."""
    signs = (f"[U+{ord(c):04X}]" if c in DIRECTION or unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    return "".join(signs)


def one_line(text: str) -> str:
    if text.isprintable():
        return text
    return visible(re.sub(r"[\t\n\v\f\r\x85\u2028\u2029]+", " ", text))


def in_markdown(text: str) -> str:
    """The text as shown in a table cell, without HTML, links or emphasis of its own."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*`]|(?<=\])\(|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text)


def in_latex(text: str) -> str:
    """The text as pdflatex prints it without packages: specials escaped, unsupported letters as code points."""
    return "".join(LATEX.get(c) or (c if known(c) else named(c)) for c in one_line(text))


def known(letter: str) -> bool:
    """Whether pdflatex prints a character: ASCII and the letters of Western Europe."""
    return " " <= letter <= "~" or ("À" <= letter <= "ÿ" and letter not in "ÐðÞþ÷")


def named(letter: str) -> str:
    return f"{{[}}U+{ord(letter):04X}{{]}}"


def in_csv(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula, with an apostrophe before it; numbers stay numbers.

    Carriage returns become newlines, because Python before 3.13 does not quote them.
    """
    value = value.replace("\r", "\n") if isinstance(value, str) else value
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\n"))
    return f"'{value}" if formula and not SIGNED.fullmatch(value) else value


def csv_of(frame: pd.DataFrame) -> str:
    """A frame as CSV whose cells and headings are data to every program."""
    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    safe = frame.assign(**{str(name): frame[name].map(in_csv) for name in texts}) if len(texts) else frame
    return safe.rename(columns=in_csv).to_csv(index=False)


def in_label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)
