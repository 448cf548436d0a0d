"""Traces, then, alone on the device, time and memory."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from wordways.run import replay
from wordways.run.clock import Workload, peak_bytes, time_all
from wordways.run.measure import TRACED, MeasureSettings
from wordways.run.subject import Subject
from wordways.run.trace import Trace, forbidding, trace


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
