"""Programs: the text is a part of a program, which is right if the whole program passes its tests."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from tasks.base import Example, Split
from tasks.corpus import EvaluationOnly, checked, enumerated
from tasks.metrics.accuracy import PassAt1
from tasks.metrics.base import Metric
from tasks.metrics.execution import check_execution, passes
from tasks.stops import before

REFUSED = "allow_code=false: running generated code is dangerous and off by default; allow_code=true permits it"
REQUIRED = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
MOST_TOKENS, MOST_SECONDS = 100_000, 3600


class Programs(EvaluationOnly):
    """The shared part of tasks that are judged by running programs: prompt, text, suffix, tests, in this order.

    Texts are scored verbatim, since white space is part of a program.  tokens: masked positions of every example.
    seconds: of CPU time that a program may take.  allow_code: must be true, since generated programs run on this
    machine, in a process of their own that has no network and may write to a temporary folder only.  longest: see
    `RealText`.
    """

    joint = ""
    metrics: Sequence[Metric] = (PassAt1(),)
    columns: ClassVar[Sequence[str]] = REQUIRED
    may_be_blank: ClassVar[Sequence[str]] = ()
    stops: ClassVar[Sequence[str]] = ()
    """Strings before which a text is cut."""

    def __init__(self, tokens: int, seconds: int, allow_code: bool, longest: int):
        if not 1 <= tokens <= MOST_TOKENS or not 1 <= seconds <= MOST_SECONDS:
            most = f"from 1 to {MOST_TOKENS:,} and to {MOST_SECONDS:,}"
            raise ValueError(f"tokens={tokens}, seconds={seconds}: must be {most}")
        if not allow_code:
            raise ValueError(REFUSED)
        check_execution()
        self.tokens, self.seconds, self.longest = tokens, seconds, longest

    @abstractmethod
    def table(self) -> tuple[Any, str]:
        """The problems as they are published, and the option and value that they come from, for messages."""

    def load(self, split: Split) -> Any:
        """Raises ValueError where a problem occurs twice."""
        table, said = self.table()
        kept = checked(table, {name: name for name in self.columns}, said, self.may_be_blank)
        seen: dict[str, int] = {}
        for first, chunk in enumerated(kept.data.column("task_id")):
            for number, name in enumerate(chunk.to_pylist(), first):
                if seen.setdefault(name, number) != number:
                    raise ValueError(f"{said}: rows {seen[name]} and {number} have the same task_id, {name}")
        return kept

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        for row in self.rows(split, first):
            problem = dict(zip(self.columns, row, strict=True))
            name, target, suffix = problem["task_id"], problem["canonical_solution"], problem.get("suffix", "")
            tests = f"{problem['test']}\ncheck({problem['entry_point']})"
            yield Example(
                name, problem["prompt"], target, suffix,
                references=(target,), stratum=self.strata[0], instance=self.instance(name), demands=(tests,),
            )  # fmt: skip

    def instance(self, name: str) -> str:
        """The problem that several examples share; empty where each is a problem of its own."""
        return ""

    def room(self, prompt_tokens: int) -> int:
        return self.tokens

    def score(self, example: Example, text: str) -> dict[str, float]:
        program = f"{example.prompt}{before(text, self.stops)}{example.suffix}\n{example.demands[0]}\n"
        return {"pass_at_1": float(passes(program, self.seconds))}
