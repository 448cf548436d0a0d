"""A table as text: for a terminal, as Markdown, as LaTeX, as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from wordways.record import write_atomically
from wordways.report.escape import in_label, in_latex, in_markdown, one_line

Mark = Literal["best", "level"]
MUTED = "muted"  # in italics, since neither Markdown nor LaTeX has grey without an extension
IN_MARKDOWN = {"": "{}", "best": "**{}**", "level": "<u>{}</u>", MUTED: "*{}*"}
IN_LATEX = {"": "{}", "best": r"\textbf{{{}}}", "level": r"\underline{{{}}}", MUTED: r"\textit{{{}}}"}
WIDE = 6  # columns beyond which font and gaps shrink
PAGE = 100  # lines of a table that fit on a LaTeX page
NOTE = 240  # maximal characters of a note
WORD = 12  # characters of a heading up to which it stays on one line
SUMMARY = "How these numbers were computed"


@dataclass(frozen=True)
class Table:
    """A title, cells of text, and a note on how to read them.

    muted: numbers of the lines that are shown without emphasis, grey or in italics, because they do not compete.
    note: at most NOTE characters, two lines of a page.  details: how the numbers were computed, folded on a page.
    """

    name: str
    title: str
    note: str
    frame: pd.DataFrame
    signature: str = ""
    details: str = ""
    marks: Mapping[tuple[int, int], Mark] = field(default_factory=dict)  # by (line, column)
    muted: frozenset[int] = frozenset()

    def plain(self) -> str:
        """Aligned, for a terminal."""
        names, _, units = zip(*(one_line(str(heading)).partition(" (") for heading in self.frame.columns), strict=True)
        below = [[f"({unit}" if unit else "" for unit in units]] * any(units)
        cells = [[one_line(str(cell)) for cell in line] for line in self.frame.to_numpy()]
        shown = pd.DataFrame([*below, *cells], columns=list(names)).to_string(index=False)
        return "\n".join([one_line(self.title), shown, one_line(self.note), *self.signature.splitlines(), ""])

    def markdown(self) -> str:
        def line(cells: Sequence[str], number: int = -1) -> str:
            shown = [self.marked(IN_MARKDOWN, number, i, in_markdown(str(cell))) for i, cell in enumerate(cells)]
            return "| " + " | ".join(shown) + " |"

        rule = ["---", *["---:"] * (len(self.frame.columns) - 1)]
        body, note = [line(row, number) for number, row in enumerate(self.frame.to_numpy())], in_markdown(self.note)
        more = [in_markdown(self.details)] * bool(self.details)
        more += ["".join(f"`{one}`" for one in self.signature.splitlines())] * bool(self.signature)
        folded = ["", f"<details><summary>{SUMMARY}</summary>", "", *"\n\n".join(more).split("\n"), "", "</details>"]
        return "\n".join(
            [
                f"**{in_markdown(self.title)}**",
                "",
                line(list(self.frame.columns)),
                line(rule),
                *body,
                "",
                note,
                *(folded if more else []),
                "",
            ]
        )

    def latex(self) -> str:
        """A booktabs table, everything in it escaped."""
        lines = [
            [self.marked(IN_LATEX, number, column, in_latex(str(cell))) for column, cell in enumerate(row)]
            for number, row in enumerate(self.frame.to_numpy())
        ]
        heading, *body = [" & ".join(row) + r" \\" for row in [[in_head(str(c)) for c in self.frame.columns], *lines]]
        signed = rf" \texttt{{{in_latex(self.signature, breaks='|+')}}}" if self.signature else ""
        comments = [f"% {one_line(self.details)}"] * bool(self.details)
        return "\n".join(
            [
                *comments,
                r"\begin{table}",
                r"\centering",
                *([r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if len(self.frame.columns) > WIDE else []),
                rf"\caption{{{in_latex(f'{self.title}. {self.note}')}{signed}}}",
                rf"\label{{tab:{in_label(self.name)}}}",
                rf"\begin{{tabular}}{{l{'r' * (len(self.frame.columns) - 1)}}}",
                r"\toprule",
                heading,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )

    def marked(self, forms: Mapping[str, str], line: int, column: int, cell: str) -> str:
        """An escaped cell with its mark; a muted line has no others."""
        mark = MUTED if line in self.muted else self.marks.get((line, column), "")
        return forms[mark].format(cell) if cell else cell

    def save(self, folder: Path) -> None:
        """Writes the table as Markdown, as CSV, and as LaTeX where it fits on a page."""
        write_atomically(folder / f"{self.name}.md", self.markdown())
        if len(self.frame) <= PAGE:
            write_atomically(folder / f"{self.name}.tex", self.latex())
        write_atomically(folder / f"{self.name}.csv", self.frame.to_csv(index=False))


def in_head(heading: str) -> str:
    """A LaTeX column heading: the words of a long one stacked, the unit below."""
    name, bracket, unit = heading.partition(" (")
    lines = name.split() if len(name) > WORD else [name]
    lines += f"({unit}".replace(", ", ",\n").split("\n") if bracket else []
    stacked = r"\\".join(map(in_latex, lines))
    return rf"\shortstack[r]{{{stacked}}}" if len(lines) > 1 else stacked
