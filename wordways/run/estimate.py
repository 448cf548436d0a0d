"""Estimates the training time of a sweep before it starts, from a few timed steps of every distinct training."""

import time
from collections.abc import Sequence

from wordways.record import canonical
from wordways.run.cell import Cell
from wordways.run.gradient import parts_of
from wordways.run.noise import SeededNoise
from wordways.run.shared import stream_of
from wordways.run.standing import is_finished, is_kept
from wordways.run.training import untrained

STEPS = 3  # timed steps, after one step of warm-up


def announcement(cells: Sequence[Cell]) -> str:
    """One line for the user; empty where at most one model must be trained, whose progress bar shows the time left."""
    pending = [cell for cell in cells if not is_finished(cell)]
    lacking = [cell for cell in pending if not is_kept(cell) or not cell.has_checkpoint]  # others are only timed
    involved = [one for cell in lacking for one in (cell.teacher, cell.judge, cell) if one is not None]
    trainings = {cell.training_key: cell for cell in involved if not cell.has_checkpoint}
    if len(trainings) < 2:
        return ""
    seconds: dict[str, float] = {}
    for cell in trainings.values():
        if kind(cell) not in seconds:
            seconds[kind(cell)] = training_seconds(cell)
    each = [taken for cell in trainings.values() if (taken := seconds[kind(cell)])]
    if len(each) < 2:  # zero seconds mark a model that cannot be trained
        return ""
    return (
        f"{len(pending)} of {len(cells)} runs are pending; training {len(each)} models takes about "
        f"{minutes(sum(each))} in total (the longest about {minutes(max(each))}), evaluation not included"
    )


def kind(cell: Cell) -> str:
    """A key that trainings share when they differ only in their seed and so take equally long."""
    return canonical([cell.nodes[name] for name in ("paradigm", "task", "backbone", "train")] + [cell.run.dtype])


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def training_seconds(cell: Cell) -> float:
    """Seconds that a training takes; 0 where the model cannot be trained, which its record will report."""
    run, device = cell.run, cell.run.torch_device()
    try:
        text = cell.text
        paradigm = untrained(cell, text.vocabulary, device)
        if text.task.holes not in paradigm.fills:
            return 0.0
        stream, durations = stream_of(text, cell.train.batch, run.seed), []
        for step in range(1 + STEPS):
            canvas = stream.canvas(step).to(device)
            began = time.perf_counter()
            noise = SeededNoise(0, [str(row) for row in range(len(canvas.ids_BL))], device)
            for part in parts_of(canvas, run.micro_batch):
                paradigm.loss(part, noise, 0.0).mean.backward()
            durations.append(time.perf_counter() - began)
    except Exception:
        return 0.0
    return cell.train.steps * sorted(durations[1:])[STEPS // 2]
