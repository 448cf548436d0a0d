"""Scores of generated texts: every metric by item, with the sufficient statistics of corpus-level metrics."""

from collections.abc import Sequence
from typing import Any

from tasks.base import Example, Share, Task
from tasks.metrics.base import Metric


def scores(task: Task, examples: Sequence[Example], texts: Sequence[str], extra: Sequence[str] = ()) -> dict[str, Any]:
    """Every metric's value for every item, None where undefined; with statistics where it is no mean over items.

    extra: names of Hugging Face `evaluate` metrics, most of which have only a corpus-level value.
    """
    judged = [task.score(example, text) for example, text in zip(examples, texts, strict=True)]
    result = {}
    for metric in task.metrics:
        entry: dict[str, Any] = {"unit": metric.unit, "higher_is_better": metric.higher_is_better}
        known = [list(example.demands if metric.of_demands else example.references) for example in examples]
        if metric.of_sets:
            values = [metric.value(row) for row in within_strata(metric, examples, texts)]
        else:
            found = [of_text[metric.name] for of_text in judged]
            values = [share(value) for value in found]
            if any(isinstance(value, Share) for value in found):
                entry["statistics"] = found
        entry["items"] = list(map(tidy, values))
        targets = [example.target for example in examples]
        if metric.beside_data:
            rows = within_strata(metric, examples, targets)
            entry["data"] = [tidy(metric.value(row)) for row in rows]
            if metric.pooled:
                entry["data_statistics"] = [list(map(tidy, row)) for row in rows]
        if metric.pooled:
            # imported here because loading `evaluate` takes seconds that accuracies alone do not need
            from tasks.metrics.adapter import as_evaluate

            pooled = as_evaluate(metric).compute(predictions=list(texts), references=known)
            entry["value"] = pooled[metric.name]
            entry["statistics"] = [list(map(tidy, row)) for row in within_strata(metric, examples, texts)]
        signature = metric.signature(known)
        if metric.pooled or signature:
            entry["signature"] = signature
        result[metric.name] = entry
    for asked in extra:
        from tasks.metrics.extra import extra_scores  # also loads `evaluate`

        references = [example.references or (example.target,) for example in examples]
        result = extra_scores(asked, texts, references, places_of(examples), task.language) | result
    return result


def places_of(examples: Sequence[Example]) -> dict[str, list[int]]:
    """The indices of each stratum's examples."""
    found: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        found.setdefault(example.stratum, []).append(place)
    return found


def within_strata(metric: Metric, examples: Sequence[Example], texts: Sequence[str]) -> list[list[float]]:
    """Each text's sufficient statistics for a metric, computed among the texts of its stratum."""
    found: list[list[float]] = [[] for _ in examples]
    for places in places_of(examples).values():
        asked = [examples[i].demands if metric.of_demands else examples[i].references for i in places]
        for place, row in zip(places, metric.rows([texts[i] for i in places], asked), strict=True):
            found[place] = row
    return found


def share(value: float | Share | None) -> float | None:
    """A value as a number; None where a share has no denominator."""
    if not isinstance(value, Share):
        return value
    return value.part / value.whole if value.whole else None


def tidy(value: float | None) -> float | int | None:
    """Integral values as int, which keeps records of zeros and ones small; None stays None."""
    return int(value) if value is not None and value == int(value) else value
