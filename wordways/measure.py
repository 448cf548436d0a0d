"""What is measured of a trained paradigm: quality, likelihood, traces, then, alone on the device, time and memory."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from tasks.base import Alphabet, Example, Share, Task
from tasks.metrics.base import Metric
from wordways import replay
from wordways.clock import Workload, peak_bytes, time_all
from wordways.exposure import commitments, divergences
from wordways.noise import SeededNoise
from wordways.text import Encoded, Text
from wordways.trace import Trace, check_written, forbidding, trace

TRACED = 16  # items whose every call is kept in the record
Drafter = Callable[[Paradigm, Canvas, Noise], Iterator[Tensor]]


@dataclass(frozen=True)
class MeasureSettings:
    """items, likelihood_items: how many of each stratum of the test set; null for all there are.

    score_batch: rows decoded together where only the text matters.  batches: rows decoded together in timings.
    timed: texts timed one by one at batch 1.  lengths: forced text lengths, tokens.  repeats: of every timing.
    drafter: the decoder that writes the drafts, where the task asks for the paradigm's own.
    extra: metrics of the Hugging Face hub beside the task's own, each a name, a name@revision or a folder.
    """

    items: int | None
    likelihood_items: int
    score_batch: int
    batches: Sequence[int]
    timed: int
    lengths: Sequence[int]
    repeats: int
    drafter: Drafter | None = None
    extra: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("items", "likelihood_items", "score_batch", "timed", "repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}: must be at least 1")
        for name in ("batches", "lengths"):
            values = list(getattr(self, name))
            if any(value < 1 for value in values) or values != sorted(set(values)):
                raise ValueError(f"{name}={values}: must be whole numbers from 1 up, ascending")
        if self.timed > TRACED:
            raise ValueError(f"timed={self.timed}: must be at most {TRACED}, the items that are traced")


@dataclass(frozen=True)
class Subject:
    """A paradigm in front of a test set."""

    paradigm: Paradigm
    text: Text
    examples: list[Example]
    rows: list[Encoded]
    seed: int
    device: torch.device

    def noise(self, indices: Sequence[int], draws: str = "") -> SeededNoise:
        return SeededNoise(self.seed, [draws + self.examples[index].id for index in indices], self.device)

    def blank(self, indices: Sequence[int]) -> Canvas:
        return self.text.blank([self.rows[index] for index in indices], self.paradigm.length).to(self.device)

    def chunks(self, size: int, indices: Sequence[int]) -> list[list[int]]:
        """Indices in batches, rows of like length together."""
        near = sorted(indices, key=lambda index: len(self.rows[index].prompt) + self.rows[index].room)
        return [near[first : first + size] for first in range(0, len(near), size)]


def test_set(task: Task, text: Text, items: int | None) -> tuple[list[Example], list[Encoded]]:
    """The first `items` test examples of every stratum, in the task's order.

    Raises RuntimeError where what stands before or behind a hole does not come back from the tokenizer.
    """
    taken: Counter[str] = Counter()
    examples = []
    for example in task.examples("test"):
        if items is None or taken[example.stratum] < items:
            taken[example.stratum] += 1
            examples.append(example)
        elif all(taken[stratum] >= items for stratum in task.strata):
            break
    for example in examples:
        for side in ("prompt", "suffix"):
            if not text.comes_back(getattr(example, side)):
                raise RuntimeError(f"{example.id}: its {side} does not come back from the tokenizer as it was")
    return examples, text.encode(examples)


def write_texts(subject: Subject, batch: int, advance: Callable[[int], None]) -> list[str]:
    """The text written for every test item, up to its end token."""
    return written(subject, subject.paradigm.decode, "", batch, advance)


def drafted(subject: Subject, drafter: Drafter, batch: int, advance: Callable[[int], None]) -> Subject:
    """The same, every text to be written from a draft: the paradigm's own, by another decoder and with other draws."""
    drafts = written(subject, partial(drafter, subject.paradigm), "draft/", batch, advance)
    examples = [replace(example, draft=draft) for example, draft in zip(subject.examples, drafts, strict=True)]
    return replace(subject, examples=examples, rows=subject.text.encode(examples))


@torch.inference_mode()
def written(
    subject: Subject,
    decode: Callable[[Canvas, Noise], Iterator[Tensor]],
    draws: str,
    batch: int,
    advance: Callable[[int], None],
) -> list[str]:
    """What a decoder writes for every test item; `draws` stands before the items' names where noise is seeded.

    Raises RuntimeError where it leaves a hole open or touches what stands around the holes.
    """
    texts = [""] * len(subject.rows)
    for indices in subject.chunks(batch, range(len(subject.rows))):
        canvas = subject.blank(indices)
        ids_BL = deque(decode(canvas, subject.noise(indices, draws)), maxlen=1).pop()
        check_written(ids_BL, canvas, subject.text.vocabulary.mask)
        for index, ids_L, holes_L in zip(indices, ids_BL.cpu(), canvas.holes_BL.cpu(), strict=True):
            texts[index] = subject.text.read(subject.text.useful(ids_L, holes_L))
        advance(len(indices))
    return texts


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
def likelihood(
    subject: Subject, texts: Sequence[str], items: int, batch: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Nats of the references of the first `items` examples of every stratum: negative log-likelihoods, by item.

    Beside the model's stand those of the true law, where the task knows it; where it knows the law of every text, also
    what the law's marginals make of the references, and both laws' nats of the model's own texts that are possible.
    """
    taken: Counter[str] = Counter()
    chosen = []
    for index, example in enumerate(subject.examples):
        taken[example.stratum] += 1
        if taken[example.stratum] <= items:
            chosen.append(index)
    asked = [subject.examples[index] for index in chosen]
    found = nats_of(subject, asked, batch, advance)
    own = apart = None
    marginals = subject.text.task.conditionals([None] * len(subject.rows[0].target))
    if marginals is not None:
        words = [example.target.split() for example in asked]
        apart = [-sum(math.log(law[word]) for law, word in zip(marginals, row, strict=True)) for row in words]
        written = [replace(subject.examples[index], target=texts[index]) for index in chosen]
        whole = [one for one in written if math.isfinite(subject.text.task.nats(one, one.target) or 0)]
        own = nats_of(subject, whole, batch, lambda _: None) | {"texts": len(written)} if whole else None
    return {**found, "item_ids": [example.id for example in asked], "own": own, "apart_nats": apart}


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


def nats_of(
    subject: Subject, examples: Sequence[Example], batch: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Of every example's target: kind, nats, se, tokens, exact (behind a bound, None where unknown), law_nats.

    Where tokens are no words also its bytes, which are the same for every tokenizer.
    """
    text, paradigm = subject.text, subject.paradigm
    of = replace(subject, examples=list(examples), rows=text.encode(examples))
    found: dict[int, tuple[float | None, ...]] = {}
    kind = ""
    for indices in of.chunks(batch, range(len(examples))):
        exactly = [paradigm.length != "eos"] * len(indices)
        canvas = text.truth([of.rows[index] for index in indices], exactly).to(of.device)
        names = [f"likelihood/{examples[index].id}" for index in indices]
        result = paradigm.log_likelihood(canvas, SeededNoise(of.seed, names, of.device))
        tokens_B = canvas.text_and_end(text.vocabulary.eos).sum(1)
        exact_B = torch.full_like(result.nats_B, torch.nan) if result.exact_B is None else result.exact_B
        kind = result.kind
        columns = (-result.nats_B, result.se_B, tokens_B, -exact_B)
        for index, *values in zip(indices, *(column.tolist() for column in columns), strict=True):
            found[index] = tuple(known(value) for value in values)
        advance(len(indices))
    columns = [list(column) for column in zip(*(found[index] for index in range(len(examples))), strict=True)]
    nats, se, tokens, exact = columns
    law = [text.task.nats(example, example.target) for example in examples]
    own_words = isinstance(vocabulary := text.task.vocabulary(), Sequence) and not isinstance(vocabulary, Alphabet)
    size = {} if own_words else {"bytes": [len(example.target.encode()) for example in examples]}
    return size | {
        "kind": kind,
        "nats": nats,
        "se": se,
        "tokens": tokens,
        "exact": exact if any(value is not None for value in exact) else None,
        "law_nats": [None if value is None else known(value) for value in law],
    }


def known(value: float) -> float | None:
    """None for what JSON has no number for: the unknown, and the nats of what is impossible."""
    return value if math.isfinite(value) else None


@torch.inference_mode()
def exposure(subject: Subject, items: int) -> dict[str, Any] | None:
    """KL of the exact law from the model's at every commitment, along its own texts and along the data's, by item.

    None where nobody knows that law, or no hole has one of its own.
    """
    task, words = subject.text.task, subject.text
    if not subject.paradigm.aligned or task.conditionals([None] * len(subject.rows[0].target)) is None:
        return None

    def exact(known: Sequence[int | None]) -> torch.Tensor:
        laws = task.conditionals([None if token is None else words.read([token]) for token in known]) or []
        table_HV = torch.zeros(len(laws), words.vocabulary.size, dtype=torch.float64)
        for row_V, law in zip(table_HV, laws, strict=True):
            for word, p in law.items():
                row_V[words.tokenizer.token_to_id(word)] = p
        return table_HV

    found: dict[str, Any] = {"own": [], "data": []}
    for index, row in enumerate(subject.rows[:items]):
        for name, truth in (("own", None), ("data", row.target)):
            calls = commitments(subject.paradigm, subject.blank([index]), subject.noise([index]), truth)
            found[name].append(divergences(calls, exact, len(row.target)))
    return found


def traces(subject: Subject) -> list[Trace]:
    """The first items, each decoded alone and watched."""
    indices = range(min(TRACED, len(subject.rows)))
    return [trace(subject.paradigm, subject.blank([index]), subject.noise([index])) for index in indices]


def watched(subject: Subject) -> list[dict[str, Any]]:
    """The first traced item of every stratum, call by call."""
    firsts: dict[str, int] = {}
    for index, example in enumerate(subject.examples[:TRACED]):
        firsts.setdefault(example.stratum, index)
    canvases = {index: subject.blank([index]) for index in firsts.values()}
    return [
        replay.entry(
            subject.text,
            subject.examples[index].id,
            canvas,
            replay.watch(subject.paradigm, canvas, subject.noise([index])),
        )
        for index, canvas in canvases.items()
    ]


def trace_entry(subject: Subject, found: Sequence[Trace]) -> dict[str, Any]:
    """The traces as the record keeps them: for every item the call, from 1, that filled and that settled each hole."""
    holes = [subject.blank([index]).holes_BL for index in range(len(found))]
    return {
        "items": [example.id for example in subject.examples[: len(found)]],
        "calls": [one.calls for one in found],
        "nfe": [one.evaluations for one in found],
        "positions": [one.positions for one in found],
        "useful_tokens": [
            len(subject.text.useful(one.ids_BL[0].cpu(), hole[0].cpu())) for one, hole in zip(found, holes, strict=True)
        ],
        "filled": [one.filled_BL[hole].tolist() for one, hole in zip(found, holes, strict=True)],
        "settled": [one.settled_BL[hole].tolist() for one, hole in zip(found, holes, strict=True)],
        "aligned": subject.paradigm.aligned,
    }


def workloads(subject: Subject, settings: MeasureSettings, alone: Sequence[Trace]) -> list[Workload]:
    """Natural length at every batch size; forced lengths at batch 1, where a length can be forced."""
    found = []
    for batch in settings.batches:
        firsts = range(min(settings.timed, len(alone))) if batch == 1 else range(1)
        for first in firsts:
            indices = range(first, min(first + batch, len(subject.rows)))
            if len(indices) < batch:
                continue
            canvas = subject.blank(indices)
            seen = alone[first] if batch == 1 else trace(subject.paradigm, canvas, subject.noise(indices))
            found.append(
                Workload(
                    "natural", first, canvas, lambda indices=indices: subject.noise(indices), seen.ids_BL, seen.work
                )
            )
    if subject.paradigm.aligned and subject.paradigm.length != "predicted":
        for tokens in settings.lengths:
            canvas = subject.text.forced(subject.rows[:1], tokens).to(subject.device)
            with forbidding(subject.paradigm, subject.text.vocabulary.eos):
                seen = trace(subject.paradigm, canvas, subject.noise([0]))
            found.append(Workload("forced", 0, canvas, lambda: subject.noise([0]), seen.ids_BL, seen.work))
    return found


def timing(
    subject: Subject, loads: Sequence[Workload], repeats: int, advance: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Raw durations of every workload, useful tokens and characters of its texts, its peak memory."""
    entries = []
    forced = forbidding(subject.paradigm, subject.text.vocabulary.eos)
    for name, context in (("natural", nullcontext()), ("forced", forced)):
        together = [load for load in loads if load.name == name]
        with context:
            repeats_ns = time_all(subject.paradigm, together, repeats, lambda: advance(1))
            peaks = [peak_bytes(subject.paradigm, load) for load in together]
        for load, durations, peak in zip(together, repeats_ns, peaks, strict=True):
            rows = zip(load.ids_BL.cpu(), load.canvas.holes_BL.cpu(), strict=True)
            useful = [subject.text.useful(ids_L, holes_L) for ids_L, holes_L in rows]
            entries.append(
                {
                    "batch": len(useful),
                    "workload": load.name,
                    "first": load.first,
                    "repeats_ns": durations,
                    "work": [list(of_call) for of_call in load.work],
                    "useful_tokens": sum(map(len, useful)),
                    "useful_chars": sum(len(subject.text.read(ids)) for ids in useful),
                    "peak_bytes": peak,
                }
            )
    return entries
