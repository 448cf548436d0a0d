"""Trains the models that a run needs: its teacher, its own model, its judge LM."""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from paradigms.base import Paradigm
from wordways.run.cell import Cell
from wordways.run.judge import Judge
from wordways.run.progress import progress_bar
from wordways.run.shared import stream_of
from wordways.run.subject import Subject
from wordways.run.teacher import Teacher
from wordways.run.text import Stream, Text
from wordways.run.train import Batch, TrainLog, fit

VALID_ITEMS, VALID_BATCH = 512, 128


@dataclass(frozen=True)
class Trained:
    """A cell's paradigm with its best weights and training log.

    teacher: the trained teacher, if any.  written_flops: FLOP that generating the teacher's texts took.
    """

    paradigm: Paradigm
    log: TrainLog
    teacher: "Trained | None" = None
    written_flops: int = 0


def trained(cell: Cell, text: Text, device: torch.device, make_way: Callable[[], None]) -> Trained:
    """Trains a cell's model, and its teacher first, unless checkpoints exist; calls `make_way` after every step.

    A public checkpoint that is used as it is has an empty log.
    """
    run, paradigm = cell.run, cell.paradigm(text.vocabulary)
    paradigm.backbone.initialise(torch.Generator().manual_seed(run.seed))
    paradigm, folder = paradigm.to(device), cell.checkpoint
    if cell.training is None:
        return Trained(paradigm.eval(), TrainLog([], 0, 0, 0, 0, 0.0))
    source = None if cell.teacher is None else trained(cell.teacher, text, device, make_way)
    if cell.teacher is None or source is None:
        teacher = None
        stream = stream_of(text, cell.train.batch, run.seed)
    else:
        bar = functools.partial(progress_bar, "teacher: generating", enabled=run.progress)
        teacher = Teacher(
            Subject(source.paradigm, text, [], [], run.seed, device), cell.measure.score_batch, cell.teacher.texts, bar
        )
        stream = Stream(text, cell.train.batch, run.seed, teacher)
    with progress_bar(f"{cell.preset}: training", cell.train.steps, run.progress) as advance:

        def stepped(count: int) -> None:
            advance(count)
            make_way()

        log = fit(paradigm, stream, validation_set(text, device, teacher), cell.train, run.seed, folder, stepped)
    return Trained(paradigm, log, source, 0 if teacher is None else teacher.flops())


def judge_of(cell: Cell, device: torch.device, make_way: Callable[[], None]) -> Judge:
    """The judge LM of a cell, trained unless its checkpoint exists; the same for every run that it scores."""
    text = cell.text
    made = trained(cell, text, device, make_way)
    what = f"{type(made.paradigm).__name__} on {type(cell.task).__name__}"
    size = sum(weight.numel() for weight in made.paradigm.parameters())
    subject = Subject(made.paradigm, text, [], [], cell.run.seed, device)
    name = f"judge:{what}|seed:{cell.run.seed}|params:{size}|training:{cell.checkpoint.name}"
    return Judge(subject, cell.measure.score_batch, name)


def validation_set(text: Text, device: torch.device, teacher: Teacher | None = None) -> list[Batch]:
    """The first validation examples in batches; with a teacher its texts, because a distilled student fits those."""
    examples = list(itertools.islice(text.task.examples("valid"), VALID_ITEMS))
    examples = examples if teacher is None else teacher(examples)
    batches = [examples[first : first + VALID_BATCH] for first in range(0, len(examples), VALID_BATCH)]
    return [
        (
            text.truth(text.encode(batch), [number % 2 == 0 for number in range(len(batch))]).to(device),
            [e.id for e in batch],
        )
        for batch in batches
    ]
