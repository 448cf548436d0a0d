"""Latency, throughput and memory: workloads at natural and forced lengths, timed alone on the device."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from wordways.run.clock import Workload, peak_bytes, time_all
from wordways.run.measure import MeasureSettings
from wordways.run.subject import Subject
from wordways.run.trace import Trace, forbidding, trace


def timing(
    subject: Subject, loads: Sequence[Workload], repeats: int, advance: Callable[[int], None]
) -> list[dict[str, Any]]:
    """The record's entries: raw durations of every workload, useful tokens and characters, peak memory in bytes."""
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


def workloads(subject: Subject, settings: MeasureSettings, alone: Sequence[Trace]) -> list[Workload]:
    """Natural lengths at every batch size, and forced lengths at batch 1 where the paradigm allows forcing one.

    alone: the traces of the first items, each decoded alone.
    """
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
