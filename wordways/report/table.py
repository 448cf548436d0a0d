"""A table as text: for a terminal, as Markdown, as LaTeX, as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from wordways.files import write_atomically
from wordways.report.escape import csv_of, in_label, in_latex, in_markdown, one_line

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

    def __post_init__(self) -> None:
        """A dash in the cells that a line lacks; no text is taken for a missing one, whatever it says."""
        lacking = self.frame.isna()
        if lacking.to_numpy().any():
            object.__setattr__(self, "frame", self.frame.astype(object).where(~lacking, "–"))

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
        """A booktabs table of at most the line's width, everything in it escaped; transposed where it is wide.

        A table of many columns and lines spans both columns of a page that has two.

        The caption is one sentence. How to read the numbers stands below the table, what determined them in comments.
        """
        if len(self.frame.columns) - 1 > WIDE >= len(self.frame):
            return self.transposed().latex()
        lines = [
            [self.marked(IN_LATEX, number, column, in_latex(str(cell))) for column, cell in enumerate(row)]
            for number, row in enumerate(self.frame.to_numpy())
        ]
        heading, *body = [" & ".join(row) + r" \\" for row in [[in_head(str(c)) for c in self.frame.columns], *lines]]
        kind = "table*" if len(self.frame.columns) > WIDE else "table"
        comments = [f"% {one_line(text)}" for text in (self.details, *self.signature.splitlines()) if text]
        return "\n".join(
            [
                "% needs the packages booktabs and graphicx",
                *comments,
                rf"\begin{{{kind}}}",
                r"\centering",
                rf"\caption{{{in_latex(self.title)}.}}",
                rf"\label{{tab:{in_label(self.name)}}}",
                *([r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if len(self.frame.columns) > WIDE else []),
                r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
                rf"\begin{{tabular}}{{l{'r' * (len(self.frame.columns) - 1)}}}",
                r"\toprule",
                heading,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}}",
                *([rf"\par\smallskip{{\footnotesize {in_latex(self.note)}\par}}"] if self.note else []),
                rf"\end{{{kind}}}",
                "",
            ]
        )

    def csv(self) -> str:
        return csv_of(self.frame)

    def with_lines(self, lines: Sequence[int | None], labels: Sequence[str]) -> "Table":
        """These lines in this order, under these labels; a dash in every cell of one that is None."""
        cells = self.frame.to_numpy().tolist()
        frame = [
            [label, *(cells[line][1:] if line is not None else ["–"] * (len(self.frame.columns) - 1))]
            for line, label in zip(lines, labels, strict=True)
        ]
        marks = {
            (new, column): mark
            for new, line in enumerate(lines)
            for (old, column), mark in self.marks.items()
            if old == line
        }
        muted = frozenset(new for new, line in enumerate(lines) if line in self.muted)
        return replace(self, frame=pd.DataFrame(frame, columns=self.frame.columns), marks=marks, muted=muted)

    def with_columns(self, columns: Sequence[int], names: Sequence[str]) -> "Table":
        """The labels and these columns in this order; an empty name keeps the heading."""
        frame = self.frame.iloc[:, [0, *columns]]
        heads = [name or str(self.frame.columns[i]) for i, name in zip(columns, names, strict=True)]
        frame = frame.set_axis([str(self.frame.columns[0]), *heads], axis=1)
        marks = {
            (line, new): mark
            for new, column in enumerate(columns, start=1)
            for (line, old), mark in self.marks.items()
            if old == column
        }
        return replace(self, frame=frame, marks=marks)

    def joined(self, other: "Table") -> "Table":
        """With the columns of a table of the same lines behind its own."""
        place = len(self.frame.columns) - 1
        marks = {(line, column + place): mark for (line, column), mark in other.marks.items()}
        frame = pd.concat([self.frame, other.frame.iloc[:, 1:]], axis=1)
        return replace(self, frame=frame, marks={**self.marks, **marks})

    def transposed(self) -> "Table":
        """Columns as lines: what a wide table of few lines becomes on a narrow page. Its cells keep their marks."""
        heads, cells = [str(head) for head in self.frame.columns], self.frame.to_numpy().tolist()
        frame = [[heads[i], *(line[i] for line in cells)] for i in range(1, len(heads))]
        marks = {(column - 1, line + 1): mark for (line, column), mark in self.marks.items()}
        labels = [heads[0], *(str(line[0]) for line in cells)]
        return replace(self, frame=pd.DataFrame(frame, columns=labels), marks=marks, muted=frozenset())

    def marked(self, forms: Mapping[str, str], line: int, column: int, cell: str) -> str:
        """An escaped cell with its mark; a muted line has no others."""
        mark = MUTED if line in self.muted else self.marks.get((line, column), "")
        return forms[mark].format(cell) if cell else cell

    def save(self, folder: Path) -> None:
        """Writes the table as Markdown, as CSV, and as LaTeX where it fits on a page."""
        write_atomically(folder / f"{self.name}.md", self.markdown())
        if len(self.frame) <= PAGE:
            write_atomically(folder / f"{self.name}.tex", self.latex())
        write_atomically(folder / f"{self.name}.csv", self.csv())


def in_head(heading: str) -> str:
    """A LaTeX column heading: the words of a long one stacked, the unit below."""
    name, bracket, unit = heading.partition(" (")
    lines = name.split() if len(name) > WORD else [name]
    lines += f"({unit}".replace(", ", ",\n").split("\n") if bracket else []
    stacked = r"\\".join(map(in_latex, lines))
    return rf"\shortstack[r]{{{stacked}}}" if len(lines) > 1 else stacked
