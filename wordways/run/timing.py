"""Which texts are timed, the same for every row of a task, and what a record keeps of them."""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from wordways.record import digest
from wordways.run.clock import Timed, Workload, peak_bytes
from wordways.run.measure import MeasureSettings
from wordways.run.subject import Subject
from wordways.run.trace import forbidding, trace
from wordways.run.writing import drafted

DRAWS = 3  # batches of every size above 1, so that no number rests on the lengths of one batch


def timed_items(names: Sequence[str], settings: MeasureSettings) -> list[list[int]]:
    """The numbers of the items that are decoded together, by workload of natural length; those alone come first.

    Texts are drawn at random without replacement. The draw depends on nothing but the items' names, so that all
    paradigms and seeds decode the same texts. Batch sizes above the number of items are left out.
    """
    found = []
    for batch in settings.batches:
        rng = random.Random(f"{batch}/{digest(list(names))}")
        if batch == 1:
            found += [[item] for item in sorted(rng.sample(range(len(names)), min(settings.timed, len(names))))]
        elif batch <= len(names):
            found += [rng.sample(range(len(names)), batch) for _ in range(DRAWS)]
    return found


def workloads(subject: Subject, settings: MeasureSettings) -> list[Workload]:
    """Natural lengths at every batch size, and forced lengths at batch 1 where the paradigm allows forcing one.

    Peak memory is measured for the largest canvas of every kind, because observing it is slow.
    """
    drawn = timed_items([example.id for example in subject.examples], settings)
    if settings.drafter is not None:
        subject = partly_drafted(subject, settings, sorted({item for items in drawn for item in items}))
    found = [natural(subject, items) for items in drawn]
    if subject.paradigm.aligned and subject.paradigm.length != "predicted":
        found += [forced(subject, tokens) for tokens in settings.lengths]
    largest: dict[tuple[str, int], Workload] = {}
    for load in found:
        known = largest.setdefault(load.kind, load)
        if load.canvas.ids_BL.numel() > known.canvas.ids_BL.numel():
            largest[load.kind] = load
    return [
        replace(load, peak_bytes=peak_bytes(subject.paradigm, load)) if load is largest[load.kind] else load
        for load in found
    ]


def partly_drafted(subject: Subject, settings: MeasureSettings, items: Sequence[int]) -> Subject:
    """The subject with drafts in these items, the same as in scoring, because noise is seeded by the items' names."""
    chosen = replace(
        subject, examples=[subject.examples[i] for i in items], rows=[subject.rows[i] for i in items]
    )  # fmt: skip
    assert settings.drafter is not None
    made = drafted(chosen, settings.drafter, settings.score_batch, lambda _: None)
    examples, rows = list(subject.examples), list(subject.rows)
    for item, example, row in zip(items, made.examples, made.rows, strict=True):
        examples[item], rows[item] = example, row
    return replace(subject, examples=examples, rows=rows)


def natural(subject: Subject, items: Sequence[int]) -> Workload:
    """Texts of natural length, decoded together."""
    canvas, noise = subject.blank(items), partial(subject.noise, items)
    seen = trace(subject.paradigm, canvas, noise())
    settled = []
    if len(items) == 1:
        holes_L = canvas.holes_BL[0]
        useful = subject.text.useful(seen.ids_BL[0].cpu(), holes_L.cpu())
        settled = seen.settled_BL[0][holes_L].tolist()[: len(useful)]
    return Workload("natural", items, canvas, noise, seen.ids_BL, settled, seen.work)


def forced(subject: Subject, tokens: int) -> Workload:
    """A text of `tokens` tokens for the first item's prompt, in which EOS is forbidden."""
    canvas, noise = subject.text.forced(subject.rows[:1], tokens).to(subject.device), partial(subject.noise, [0])
    context = partial(forbidding, subject.paradigm, subject.text.vocabulary.eos)
    with context():
        seen = trace(subject.paradigm, canvas, noise())
    return Workload("forced", [0], canvas, noise, seen.ids_BL, [], seen.work, context)


def entries(subject: Subject, row: Timed) -> list[dict[str, Any]]:
    """The record's entries: raw durations of every workload, useful tokens and characters, peak memory in bytes."""
    found = []
    for load, repeats_ns in zip(row.loads, row.repeats_ns, strict=True):
        rows = zip(load.ids_BL.cpu(), load.canvas.holes_BL.cpu(), strict=True)
        useful = [subject.text.useful(ids_L, holes_L) for ids_L, holes_L in rows]
        entry = {
            "batch": len(useful),
            "workload": load.name,
            "first": load.items[0],
            "items": list(load.items),
            "repeats_ns": repeats_ns,
            "work": [list(of_call) for of_call in load.work],
            "useful_tokens": sum(map(len, useful)),
            "useful_chars": sum(len(subject.text.read(ids)) for ids in useful),
            "peak_bytes": load.peak_bytes,
        }
        alone = {"settled": list(load.settled)} if load.kind == ("natural", 1) else {}
        found.append(entry | alone)
    return found
