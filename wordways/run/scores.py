"""Scores of generated texts: every metric by item, with the sums that pooled metrics are computed from."""

from collections.abc import Sequence
from typing import Any

import torch

from tasks.base import Example, Share, Task
from tasks.metrics.base import Metric
from wordways.run.subject import Subject


def scores(task: Task, examples: Sequence[Example], texts: Sequence[str], extra: Sequence[str] = ()) -> dict[str, Any]:
    """Every metric's value for every item, None where it has none; of what is no mean over items also the sums.

    extra: metrics from elsewhere, of which most have a value of whole sets alone.
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
            from tasks.metrics.adapter import (
                as_evaluate,
            )  # loads `evaluate`, seconds that plain accuracies need not wait

            pooled = as_evaluate(metric).compute(predictions=list(texts), references=known)
            entry["value"] = pooled[metric.name]
            entry["statistics"] = [list(map(tidy, row)) for row in within_strata(metric, examples, texts)]
        if metric.pooled or metric.signature():
            entry["signature"] = metric.signature()
        result[metric.name] = entry
    for asked in extra:
        from tasks.metrics.extra import extra_scores  # loads `evaluate`, too

        references = [example.references or (example.target,) for example in examples]
        result = extra_scores(asked, texts, references, places_of(examples), task.language) | result
    return result


def places_of(examples: Sequence[Example]) -> dict[str, list[int]]:
    """Where each stratum's examples stand."""
    found: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        found.setdefault(example.stratum, []).append(place)
    return found


def within_strata(metric: Metric, examples: Sequence[Example], texts: Sequence[str]) -> list[list[float]]:
    """What each text adds to a metric's sums, judged among the texts of its stratum."""
    found: list[list[float]] = [[] for _ in examples]
    for places in places_of(examples).values():
        asked = [examples[i].demands if metric.of_demands else examples[i].references for i in places]
        for place, row in zip(places, metric.rows([texts[i] for i in places], asked), strict=True):
            found[place] = row
    return found


def share(value: float | Share | None) -> float | None:
    if not isinstance(value, Share):
        return value
    return value.part / value.whole if value.whole else None


def tidy(value: float | None) -> float | int | None:
    """Whole numbers as such: a record of zeros and ones stays small. None stays what has no value."""
    return int(value) if value is not None and value == int(value) else value


@torch.inference_mode()
def detection(subject: Subject, batch: int) -> dict[str, Any]:
    """How well a paradigm's own doubt finds the errors of a draft: AUROC of -log p over each text's tokens.

    A text that is all right or all wrong has none.
    """
    found: list[float | None] = [None] * len(subject.rows)
    for indices in subject.chunks(batch, range(len(subject.rows))):
        canvas = subject.blank(indices)
        nats_BH, counted_BH = subject.paradigm.token_nats(canvas)
        draft_BH = canvas.ids_BL.gather(1, canvas.hole_positions()[0])
        for index, *columns in zip(indices, nats_BH.cpu(), draft_BH.cpu(), counted_BH.cpu(), strict=True):
            nats_H, draft_H, counted_H = columns
            doubts: dict[bool, list[float]] = {True: [], False: []}
            shown = zip(nats_H[counted_H].tolist(), draft_H[counted_H].tolist(), subject.rows[index].target)  # noqa: B905
            for nats, draft, right in shown:  # a draft may end too early, or not at all
                doubts[draft != right].append(nats)
            found[index] = auroc(doubts[True], doubts[False])
    return {"unit": "share", "higher_is_better": True, "items": [tidy(value) for value in found]}


def auroc(above: Sequence[float], below: Sequence[float]) -> float | None:
    """The chance that one of the first is larger than one of the second; a tie counts half. None without a pair."""
    pairs = [(a > b) + (a == b) / 2 for a in above for b in below]
    return sum(pairs) / len(pairs) if pairs else None
