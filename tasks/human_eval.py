"""HumanEval: functions written from their docstrings, judged by unit tests (Chen et al., 2021)."""

from typing import Any

from tasks.corpus import find, home, published
from tasks.files import read_file
from tasks.programs import Programs

CALLED = "humaneval"


class HumanEval(Programs):
    """Prompt: a function's head and docstring; target: its body, which has to pass the problem's tests.

    A text is cut at the stop strings of the paper.  data: a folder that has HumanEval.jsonl.gz or HumanEval.jsonl, or
    that has a folder humaneval with it; null loads `name` from the Hugging Face hub. Other settings: see `Programs`.
    """

    holes = "suffix"
    strata = ("problems",)
    stops = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

    def __init__(
        self,
        data: str | None,
        name: str,
        revision: str | None,
        tokens: int,
        seconds: int,
        allow_code: bool,
        longest: int = 10_000,
    ):
        super().__init__(tokens, seconds, allow_code, longest)
        self.data, self.name, self.revision = data, name, revision

    def table(self) -> tuple[Any, str]:
        if self.data is None:
            return published(self.name, self.revision, "test"), f"name={self.name}"
        path = find(home(self.data, CALLED), CALLED, "HumanEval.jsonl.gz", "HumanEval.jsonl")
        return read_file("json", "data", path, self.columns), f"data={path}"
