"""HumanEval infilling: missing lines or spans of HumanEval's solutions (Fried et al., 2023; Bavarian et al., 2022)."""

from typing import Any, Literal

from tasks.corpus import find, home
from tasks.files import read_file
from tasks.programs import REQUIRED, Programs

CALLED = "humaneval_infilling"
FILES = {"single-line": "SingleLine", "multi-line": "MultiLine", "random-span": "RandomSpan"}


class HumanEvalInfilling(Programs):
    """Prompt: a function up to a blank; target: the content of the blank; suffix: the rest of the function.

    kind: of the blank, a line, several lines or any span of characters.  form: span keeps the suffix after the blank;
    fim (fill in the middle) moves it before, behind the prompt, so that left-to-right paradigms can condition on it.
    data: a folder that has the release's files, HumanEval-SingleLineInfilling.jsonl.gz and so on, or that has a folder
    humaneval_infilling with them; null reads them from the URL `name`. Texts are not cut at stop strings, as in the
    release's own evaluation. Other settings: see `Programs`.
    """

    columns = (*REQUIRED, "suffix")
    may_be_blank = ("suffix", "canonical_solution")  # some blanks contain white space alone

    def __init__(
        self,
        data: str | None,
        name: str,
        kind: Literal["single-line", "multi-line", "random-span"],
        form: Literal["span", "fim"],
        tokens: int,
        seconds: int,
        allow_code: bool,
        longest: int = 10_000,
    ):
        super().__init__(tokens, seconds, allow_code, longest)
        self.data, self.name, self.file = data, name, f"HumanEval-{FILES[kind]}Infilling.jsonl.gz"
        self.strata = (kind,)
        self.holes = "suffix" if form == "fim" else "span"
        self.fill_in_the_middle = form == "fim"

    def table(self) -> tuple[Any, str]:
        option, path = "name", f"{self.name}/{self.file}"
        if self.data is not None:
            option, path = "data", str(find(home(self.data, CALLED), CALLED, self.file, self.file.removesuffix(".gz")))
        return read_file("json", option, path, self.columns), f"{option}={path}"

    def instance(self, name: str) -> str:
        """HumanEval/0 of SingleLineInfilling/HumanEval/0/L0."""
        return "/".join(name.split("/")[1:3])
