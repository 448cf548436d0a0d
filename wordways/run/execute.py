"""Executes one checked configuration and writes its record: train, score, then time."""

import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tasks.base import Example, Task
from wordways.record import Record, cell_id, valid_record, write_record
from wordways.run.cell import Cell
from wordways.run.detection import detection
from wordways.run.exposure import exposure
from wordways.run.keep import keep, keep_again
from wordways.run.likelihood import likelihood
from wordways.run.limits import run_apart
from wordways.run.lock import device_lock
from wordways.run.measure import TRACED
from wordways.run.progress import progress_bar
from wordways.run.provenance import provenance
from wordways.run.replay import replays
from wordways.run.scores import scores
from wordways.run.session import time_cells
from wordways.run.standing import is_complete, is_kept, standing
from wordways.run.subject import Subject, test_set
from wordways.run.trace import trace_entry, traces
from wordways.run.training import judge_of, trained
from wordways.run.working import sharing, working
from wordways.run.writing import decoded
from wordways.texts import texts_file


def run_cell(cell: Cell) -> Record:
    """The complete record of a cell that is compared with no other: scored and timed by itself."""
    record = score_cell(cell)
    time_cells([cell])
    return valid_record(Path(cell.run.results), *cell.names) or record


def score_cell(cell: Cell) -> Record:
    """The cell's record: the one on disk where `overwrite` keeps it, else a new one, without timings, now written."""
    record = try_cell(cell, wait=True)
    assert record is not None
    return record


def try_cell(cell: Cell, *, wait: bool) -> Record | None:
    """The same; None where another process works on the cell and `wait` is False."""
    results, before = Path(cell.run.results), standing(cell)
    if is_complete(cell):
        return valid_record(results, *cell.names)
    with working(results, cell.id, wait=wait, why=f"another process runs {cell.preset}, {cell.id}") as mine:
        if not mine:
            return None
        if standing(cell) != before:  # another process finished it meanwhile
            return valid_record(results, *cell.names)
        if is_kept(cell):
            keep_again(cell)
        elif not cell.run.limits.any:
            write_scored(cell)
        elif reason := run_apart(score_apart, cell, cell.run.limits):
            write_record(results, replace(blank(cell.config, cell.run.torch_device()), reason=reason))
        return valid_record(results, *cell.names)


def score_apart(cell: Cell) -> None:
    """In a process of its own."""
    with sharing(Path(cell.run.results), cell.id):
        write_scored(cell)


def write_scored(cell: Cell) -> None:
    """Writes a new record without timings; what goes wrong becomes the reason of a failure."""
    cell.run.use_threads()
    empty = blank(cell.config, cell.run.torch_device())
    try:
        record = fill_in(cell, empty)
    except Exception:
        record = replace(empty, reason=traceback.format_exc())
    if record.status != "ok" or cell.measure.keep != "all":
        texts_file(Path(cell.run.results), record.cell).unlink(missing_ok=True)  # those of the record that goes
    write_record(Path(cell.run.results), record)


def blank(config: Mapping[str, Any], device: torch.device) -> Record:
    """The record of a run with these settings: a failure that awaits its reason."""
    return Record(
        cell=cell_id(config), status="failed", reason="", config=config, provenance=provenance(device),
        budgets={}, scores={}, item_ids=[], strata={}, likelihood=None, timing=[], trace=None, samples=[],
    )  # fmt: skip


def fill_in(cell: Cell, empty: Record) -> Record:
    """Trains and scores a cell. Every exception passes through; the caller records it as a failure."""
    run, device, text = cell.run, cell.run.torch_device(), cell.text
    for one in [cell] if cell.teacher is None else [cell.teacher, cell]:
        fills = one.paradigm(text.vocabulary).fills
        if text.task.holes not in fills:
            supported = " and ".join(sorted(fills))
            reason = f"{one.preset} supports {supported} targets only; this task has {text.task.holes} targets"
            return replace(empty, status="skipped", reason=reason)
    examples, rows = test_set(text.task, text, cell.measure.items)
    clock, seconds = time.perf_counter(), {}

    def lap(phase: str) -> None:
        nonlocal clock
        seconds[phase], clock = time.perf_counter() - clock, time.perf_counter()

    with device_lock(device.type, alone=False) as make_way:
        made = trained(cell, text, device, make_way)
        lap("train")
        paradigm, log = made.paradigm, made.log
        paradigm = paradigm.to(run.torch_dtype())
        subject = Subject(paradigm, text, examples, rows, run.seed, device)
        passes = 1 if cell.measure.drafter is None else 2
        steps = passes * len(examples) + min(len(examples), cell.measure.likelihood_items * len(text.task.strata))
        with progress_bar(f"{cell.preset}: scoring", steps, run.progress) as advance:
            subject, texts = decoded(subject, cell.measure, advance)
            examples = subject.examples
            nats = likelihood(subject, texts, cell.measure.likelihood_items, cell.measure.score_batch, advance)
            nats["exposure"] = exposure(subject, cell.measure.likelihood_items)
            judged = scores(text.task, examples, texts, cell.measure.extra)
            if cell.judge is not None:
                judged |= judge_of(cell.judge, device, make_way).scores(examples, texts)
            if any(example.draft for example in examples):
                judged["detection"] = detection(subject, cell.measure.score_batch)
        traced = traces(subject)
        replayed = replays(subject)
        lap("score")
    budgets = {
        "steps": cell.train.steps if cell.training else 0,
        "tokens": log.tokens,
        "supervised_tokens": log.supervised_tokens,
        "flops": log.flops,
        "params": sum(weight.numel() for weight in paradigm.parameters()),
    }  # fmt: skip
    if own := sum(weight.numel() for module in paradigm.own() for weight in module.parameters()):
        budgets["own_params"] = own
    if made.teacher is not None:
        budgets["teacher_flops"] = made.teacher.log.flops + made.written_flops
    record = replace(
        empty,
        status="ok",
        provenance={
            **empty.provenance,
            "seconds": seconds,
            "training": cell.checkpoint.name,
            "training_seconds": log.seconds,
            "training_processes": log.processes,
            "kernels": paradigm.backbone.names_of_kernels(),
            "curve": log.curve,
        },
        budgets=budgets,
        scores=judged,
        item_ids=[example.id for example in examples],
        strata={example.id: example.stratum for example in examples},
        instances={example.id: example.instance for example in examples if example.instance},
        likelihood=nats,
        trace=trace_entry(subject, traced),
        samples=samples(text.task, examples, texts),
        replay=replayed,
    )
    keep(cell, record, text.task, examples, texts)
    return record


def samples(task: Task, examples: list[Example], texts: list[str]) -> list[dict[str, str]]:
    """The first generated texts, with prompt, suffix and target where the data's licence allows copying them."""
    shown = []
    for example, text in zip(examples[:TRACED], texts, strict=False):
        asked = {"prompt": example.prompt, "suffix": example.suffix, "target": example.target} if task.shareable else {}
        draft = {"draft": example.draft} if example.draft else {}
        shown.append({"id": example.id} | asked | draft | {"text": text})
    return shown
