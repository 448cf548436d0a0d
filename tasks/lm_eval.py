"""Generation tasks of lm-evaluation-harness (Gao et al., 2023), with its prompts, filters and metrics."""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from tasks.base import Example, Split
from tasks.corpus import EvaluationOnly
from tasks.files import one_line
from tasks.metrics.base import ByTask, Metric
from tasks.stops import before

TOKENS = 256  # of a text where the task does not say


class LmEval(EvaluationOnly):
    """Prompt: the task's context with its worked examples; target: the answer that it names.

    name: of a task of the harness.  include_path: a folder with the YAML of tasks of one's own.  shots: worked
    examples; null takes the task's number. A text ends at the task's first stop string.
    Raises ValueError where there is no such task, or where it is scored by likelihood.
    """

    holes = "suffix"
    joint = ""
    reads_when_built = True
    strata = ("items",)

    def __init__(self, name: str, include_path: str | None, shots: int | None):
        self.name, self.include_path, self.shots = name, include_path, shots
        if shots is not None and shots < 0:
            raise ValueError(f"shots={shots}: must be at least 0")
        self.corpus = name
        kind = self.harness.get_config("output_type")
        if kind != "generate_until":
            raise ValueError(
                f"name={name}: is scored by {kind}, which wordways-lm-eval runs; only generation is a task here"
            )
        metrics = self.harness.higher_is_better()
        found = [metric_of(label, metrics.get(label.partition("@")[0])) for label in self.scores_of(0, "")]
        self.metrics: Sequence[Metric] = sorted(found, key=lambda metric: metric.name)

    @cached_property
    def harness(self) -> Any:
        """The harness's task."""
        try:
            from lm_eval.tasks import TaskManager
        except ImportError:
            raise ValueError("name: needs lm-evaluation-harness, pip install -e '.[lm-eval]'") from None
        try:
            known = TaskManager(include_path=self.include_path, include_defaults=False)
            if self.include_path is None or self.name not in known.all_tasks:
                known = TaskManager(include_path=self.include_path)  # reads thousands of files
            found: Any = known.load([self.name])
        except Exception as error:  # the harness and data sets raise many kinds
            raise ValueError(f"name={self.name}: {one_line(error)[:200]}") from None
        if list(found["tasks"]) != [self.name]:
            raise ValueError(f"name={self.name}: is a group; name one of its tasks")
        return found["tasks"][self.name]

    @cached_property
    def documents(self) -> list[Any]:
        return list(self.harness.eval_docs)

    @cached_property
    def asked(self) -> list[tuple[str, str]]:
        """The context and the answer of every document."""
        config = self.harness.config
        shots = (config.num_fewshot or 0) if self.shots is None else self.shots
        delimiter = config.target_delimiter
        found = []
        for document in self.documents:
            target = self.harness.doc_to_target(document)
            answer = target[0] if isinstance(target, list) else str(target)
            found.append((self.harness.fewshot_context(document, num_fewshot=shots), delimiter + answer))
        return found

    def load(self, split: Split) -> Any:
        import datasets

        return datasets.Dataset.from_dict({"prompt": [p for p, _ in self.asked], "target": [t for _, t in self.asked]})

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        for number, (prompt, target) in enumerate(self.rows(split, first), first):
            yield Example(f"{split}-{number}", prompt, target, references=(target.strip(),), stratum=self.strata[0])

    def room(self, prompt_tokens: int) -> int:
        return int((self.harness.config.generation_kwargs or {}).get("max_gen_toks", TOKENS))

    def score(self, example: Example, text: str) -> dict[str, float]:
        number = int(example.id.rpartition("-")[2])
        return {snake(label): value for label, value in self.scores_of(number, text).items()}

    def scores_of(self, number: int, text: str) -> dict[str, float]:
        """The value of every metric, by its name; by its and the filter's where the task has several filters."""
        from lm_eval.api.instance import Instance

        until = (self.harness.config.generation_kwargs or {}).get("until") or []
        text = before(text, [until] if isinstance(until, str) else [stop for stop in until if stop])
        document, filters = self.documents[number], self.harness._filters
        found: dict[str, float] = {}
        for chain in filters:
            made: Any = Instance("generate_until", document, ("", {}), 0, resps=[text])
            chain.apply([made])
            for metric, value in self.harness.process_results(document, [made.filtered_resps[chain.name]]).items():
                found[metric if len(filters) == 1 else f"{metric}@{chain.name}"] = float(value)
        return found


def snake(label: str) -> str:
    """A metric's name in lower snake_case."""
    return re.sub(r"\W+", "_", label).strip("_").lower()


def metric_of(label: str, higher_is_better: bool | None) -> Metric:
    """The mean of a value that the harness's task computes for each text."""
    return type(label, (ByTask,), {"name": snake(label), "higher_is_better": higher_is_better})()
