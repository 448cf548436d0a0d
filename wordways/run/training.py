"""Trains the models that a run needs: its teacher, its own model, its judge LM; alone or with other processes."""

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from paradigms.base import Paradigm, Vocabulary
from wordways.run.cell import Cell
from wordways.run.judge import Judge
from wordways.run.progress import progress_bar
from wordways.run.shared import stream_of
from wordways.run.subject import Subject
from wordways.run.teacher import Teacher
from wordways.run.text import Stream, Text
from wordways.run.train import Batch, TrainLog, fit, train_along
from wordways.run.workers import SharedError, agreed, hear, size, together
from wordways.settings import SettingError

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
    run, folder, paradigm = cell.run, cell.checkpoint, untrained(cell, text.vocabulary, device)
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
    with (
        nullcontext() if size() == 1 else together((cell, text.vocabulary)),
        progress_bar(f"{cell.preset}: training", cell.train.steps, run.progress) as advance,
    ):

        def stepped(count: int) -> None:
            advance(count)
            make_way()

        valid = validation_set(text, device, teacher)
        log = fit(paradigm, stream, valid, cell.train, run.seed, folder, stepped, run.micro_batch)
    return Trained(paradigm, log, source, 0 if teacher is None else teacher.flops())


def untrained(cell: Cell, vocabulary: Vocabulary, device: torch.device) -> Paradigm:
    """A cell's paradigm with its initial weights."""
    paradigm = cell.paradigm(vocabulary)
    paradigm.initialise(torch.Generator().manual_seed(cell.run.seed))
    return paradigm.to(device)


def check_processes(cells: Sequence[Cell]) -> None:
    """Raises SettingError where there are more processes than rows in a batch, or than devices, or limits."""
    for cell in cells:
        if size() > 1 and cell.run.limits.any:
            raise SettingError("limits: allowed only in one process, because a limited run has a process of its own")
        if cell.training is not None and cell.train.batch < size():
            raise SettingError(f"train.batch={cell.train.batch}: must be at least the number of processes, {size()}")
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if size() > 1 and cell.run.torch_device().type == "cuda" and here > (devices := torch.cuda.device_count()):
            raise SettingError(f"device=cuda: {here} processes need as many devices, this machine has {devices}")


def follow() -> None:
    """What all processes but the first do: they train along, until there is nothing left to train."""
    while (order := hear()) is not None:
        try:
            carry_out(*order)
        except SharedError:  # which the first process reports
            while hear() is not None:
                pass


def carry_out(cell: Cell, vocabulary: Vocabulary) -> None:
    """Trains a cell's model along."""
    with agreed():
        cell.run.use_threads()
        paradigm = untrained(cell, vocabulary, cell.run.torch_device())
    if (state := hear()) is not None:  # otherwise another command has finished this training meanwhile
        train_along(paradigm, cell.train, cell.run.seed, cell.run.micro_batch, state)


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
