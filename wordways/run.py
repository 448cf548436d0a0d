"""One cell from configuration to record: build, skip or train, measure, write."""

import functools
import itertools
import json
import time
import traceback
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from paradigms.base import Paradigm, Vocabulary
from tasks.base import Example, Task
from tasks.metrics.extra import check_extra
from tasks.metrics.judged import JUDGED
from wordways.judge import Judge
from wordways.lock import device_lock
from wordways.measure import (
    TRACED,
    MeasureSettings,
    Subject,
    detection,
    drafted,
    exposure,
    likelihood,
    scores,
    test_set,
    timing,
    trace_entry,
    traces,
    watched,
    workloads,
    write_texts,
)
from wordways.progress import progress_bar
from wordways.provenance import provenance
from wordways.record import Record, canonical, cell_id, digest, valid_record, write_record
from wordways.roofline import machine_peaks
from wordways.settings import SettingError, build, construct
from wordways.teacher import Teacher
from wordways.text import Stream, Text, build_text
from wordways.train import Batch, TrainLog, TrainSettings, fit

TRAINING = 2  # counted up when code changes what training produces, so that old checkpoints are not taken for new ones
VALID_ITEMS, VALID_BATCH = 512, 128
TINY = Vocabulary(size=8, mask=2, eos=1, pad=0)  # enough to see that a paradigm can be built
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class RunSettings:
    """What belongs to a run rather than to a part of it. device: auto takes an accelerator where there is one."""

    seed: int
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["float32", "float64", "bfloat16"]
    threads: int | None
    results: str
    checkpoints: str
    overwrite: Literal["missing", "failed", "always"]
    progress: bool

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}: must be at least 0")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads={self.threads}: must be at least 1")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device=cuda: this machine has none; use cpu or auto")

    def torch_device(self) -> torch.device:
        return torch.device("cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Cell:
    """A checked configuration and the name of the record it leads to."""

    preset: str
    experiment: str
    nodes: Mapping[str, Any]
    run: RunSettings
    train: TrainSettings
    measure: MeasureSettings
    teacher: "Cell | None" = None  # whose texts stand for the data's in training
    judge: "Cell | None" = None  # of what was written

    @property
    def task(self) -> Task:
        return task_of(canonical(self.nodes["task"]))

    @property
    def identified_task(self) -> dict[str, Any]:
        """The task's settings, by what its data are rather than by where they lie."""
        task = {name: value for name, value in self.nodes["task"].items() if name != "data"}
        return task | {"data_hash": self.task.data_hash()}

    @property
    def config(self) -> dict[str, Any]:
        """What the record keeps: all that makes the cell what it is, and the names it goes by."""
        measure = dict(self.nodes["measure"])
        if self.judge is not None:
            measure["judge"] = {"paradigm": self.judge.nodes["paradigm"], "task": self.judge.identified_task}
        return {
            "preset": self.preset,
            "experiment": self.experiment,
            "paradigm": self.nodes["paradigm"],
            "task": self.identified_task,
            "backbone": self.nodes["backbone"],
            "train": self.nodes["train"],
            "seed": self.run.seed,
            "measure": {name: value for name, value in measure.items() if name != "extra" or value},
            "device": self.run.torch_device().type,
            "dtype": self.run.dtype,
        }

    @property
    def id(self) -> str:
        return cell_id(self.config)

    @property
    def training_key(self) -> str:
        """Everything that shapes training and nothing else, so that a sweep over decoders trains once."""
        shaping = {name: value for name, value in self.nodes["paradigm"].items() if name != "decoder"}
        task = shaping_settings(self.task, self.nodes["task"]) | {"data_hash": self.task.training_hash()}
        return digest([TRAINING, shaping, task, self.nodes["backbone"], self.nodes["train"], self.run.seed])

    @property
    def decoding_key(self) -> str:
        """What, beside the training, decides what is written."""
        return digest(self.nodes["paradigm"].get("decoder"))

    def paradigm(self, vocabulary: Vocabulary, path: str = "paradigm") -> Paradigm:
        backbone = build(self.nodes["backbone"], "backbone", vocabulary_size=vocabulary.size)
        return build(self.nodes["paradigm"], path, vocabulary=vocabulary, backbone=backbone)


def shaping_settings(task: Any, node: Mapping[str, Any]) -> dict[str, Any]:
    """A task's settings that shape training; where it only changes what another asks in its test, that one's."""
    kept = {name: value for name, value in node.items() if name not in {"data"} | task.not_for_training}
    return shaping_settings(task.task, kept["task"]) if kept.keys() == {"_target_", "task"} else kept


def check_cell(config: Mapping[str, Any], preset: str, experiment: str) -> Cell:
    """Raises SettingError, one line, where the configuration cannot run; trains and writes nothing."""
    nodes = {name: config[name] for name in ("paradigm", "task", "backbone", "train", "measure")}
    run = {name: value for name, value in config.items() if name not in nodes and name != "decoding"}
    train, measure = dict(nodes["train"]), dict(nodes["measure"])
    teacher, judge = train.pop("teacher", None), measure.pop("judge", None)
    cell = Cell(
        preset,
        experiment,
        nodes,
        construct(RunSettings, run, ""),
        construct(TrainSettings, train, "train"),
        construct(MeasureSettings, measure, "measure"),
    )
    plain = {**nodes, "train": train, "measure": measure}
    if teacher is not None:
        own = replace(cell, preset="teacher", nodes={**plain, "paradigm": teacher})
        cell = replace(cell, teacher=own)
    if judge is not None:
        for name in judge.keys() - {"paradigm", "task"}:
            raise SettingError(f"measure.judge.{name}={judge[name]}: no such setting; a judge has paradigm, task")
        own = replace(cell, preset="judge", nodes={**plain, **judge}, run=replace(cell.run, seed=0), teacher=None)
        cell = replace(cell, judge=own)
    with torch.device("meta"):
        for path, one in (("train.teacher", cell.teacher), ("measure.judge.paradigm", cell.judge)):
            if one is not None:
                one.paradigm(TINY, path)
        check_drafter(cell, cell.paradigm(TINY))
    for path, one in (("task", cell), ("measure.judge.task", cell.judge)):
        if one is not None:
            build(one.nodes["task"], path)  # what is wrong with it is said under this name
            try:
                one.task.data_hash()
            except ValueError as error:
                raise SettingError(f"{path}.{error}") from None
    own = [metric.name for metric in cell.task.metrics] + list(JUDGED if cell.judge is not None else ())
    try:
        check_extra(cell.measure.extra, own)
    except ValueError as error:
        raise SettingError(f"measure.{error}") from None
    return cell


def check_drafter(cell: Cell, paradigm: Paradigm) -> None:
    """Raises SettingError unless drafts are written where the task asks for them, as the paradigm can be decoded."""
    drafter, name = cell.measure.drafter, type(cell.measure.drafter).__name__
    if not cell.task.asks_for_drafts:
        if drafter is not None:
            raise SettingError(
                f"measure.drafter={name}: task={type(cell.task).__name__} asks for no drafts; leave it out"
            )
    elif drafter is None:
        raise SettingError("measure.drafter: missing; this task asks for drafts, so name a decoder that writes them")
    elif not isinstance(drafter, typing.get_type_hints(type(paradigm).__init__)["decoder"]):
        raise SettingError(f"measure.drafter={name}: does not decode {type(paradigm).__name__}")


@functools.lru_cache(maxsize=16)
def task_of(node: str) -> Task:
    """The task a canonical node describes; the cells of a sweep share one."""
    return build(json.loads(node), "task")


@functools.lru_cache(maxsize=16)
def text_of(node: str, checkpoints: str) -> Text:
    return build_text(task_of(node), Path(checkpoints))


@functools.lru_cache(maxsize=1)
def stream_of(node: str, checkpoints: str, batch: int, seed: int) -> Stream:
    return Stream(text_of(node, checkpoints), batch, seed)


def kept(cell: Cell) -> Record | None:
    """The record on disk, where there is one that will do."""
    known = valid_record(Path(cell.run.results), cell.id)
    again = {"missing": (), "failed": ("failed",), "always": ("ok", "skipped", "failed")}[cell.run.overwrite]
    return None if known is None or known.status in again else known


def run_cell(cell: Cell) -> Record:
    """The cell's record: the one on disk where it will do, else a new one, written before it is returned."""
    known = kept(cell)
    if known is not None:
        return known
    if cell.run.threads is not None:
        torch.set_num_threads(cell.run.threads)
    blank = Record(
        cell=cell.id, status="failed", reason="", config=cell.config, provenance=provenance(cell.run.torch_device()),
        budgets={}, scores={}, item_ids=[], strata={}, likelihood=None, timing=[], trace=None, samples=[],
    )  # fmt: skip
    try:
        record = fill_in(cell, blank)
    except Exception:
        record = replace(blank, reason=traceback.format_exc())
    write_record(Path(cell.run.results), record)
    return record


def fill_in(cell: Cell, blank: Record) -> Record:
    """Does what a cell asks for. Raises whatever goes wrong; the caller makes a record of it."""
    node, run, device = canonical(cell.nodes["task"]), cell.run, cell.run.torch_device()
    text = text_of(node, run.checkpoints)
    for one in [cell] if cell.teacher is None else [cell.teacher, cell]:
        fills = one.paradigm(text.vocabulary).fills
        if text.task.holes not in fills:
            reason = (
                f"{one.preset} fills {' and '.join(sorted(fills))} holes; this task asks for {text.task.holes} holes"
            )
            return replace(blank, status="skipped", reason=reason)
    examples, rows = test_set(text.task, text, cell.measure.items)
    clock, seconds = time.perf_counter(), {}

    def lap(phase: str) -> None:
        nonlocal clock
        seconds[phase], clock = time.perf_counter() - clock, time.perf_counter()

    with device_lock(device.type, alone=False) as make_way:
        made = trained(cell, text, device, make_way)
        lap("train")
        paradigm, log = made.paradigm, made.log
        paradigm = paradigm.to(DTYPES[run.dtype])
        subject, drafter = Subject(paradigm, text, examples, rows, run.seed, device), cell.measure.drafter
        passes = 1 if drafter is None else 2
        steps = passes * len(examples) + min(len(examples), cell.measure.likelihood_items * len(text.task.strata))
        with progress_bar(f"{cell.preset}: score", steps, run.progress) as advance:
            if drafter is not None:
                subject = drafted(subject, drafter, cell.measure.score_batch, advance)
                examples = subject.examples
            texts = write_texts(subject, cell.measure.score_batch, advance)
            law = likelihood(subject, texts, cell.measure.likelihood_items, cell.measure.score_batch, advance)
            law["exposure"] = exposure(subject, cell.measure.likelihood_items)
            judged = scores(text.task, examples, texts, cell.measure.extra)
            if cell.judge is not None:
                judged |= judge_of(cell.judge, device, make_way).scores(examples, texts)
            if any(example.draft for example in examples):
                judged["detection"] = detection(subject, cell.measure.score_batch)
        alone = traces(subject)
        films = watched(subject)
        loads = workloads(subject, cell.measure, alone)
        lap("score")
    with device_lock(device.type, alone=True):
        with progress_bar(f"{cell.preset}: time", len(loads) * cell.measure.repeats, run.progress) as advance:
            timed = timing(subject, loads, cell.measure.repeats, advance)
        peaks = machine_peaks(device, DTYPES[run.dtype], torch.get_num_threads())
        lap("time")
    budgets = {
        "steps": cell.train.steps, "tokens": log.tokens, "supervised_tokens": log.supervised_tokens, "flops": log.flops,
        "params": sum(weight.numel() for weight in paradigm.parameters()),
    }  # fmt: skip
    if made.teacher is not None:
        budgets["teacher_flops"] = made.teacher.log.flops + made.written_flops
    return replace(
        blank,
        status="ok",
        provenance={
            **blank.provenance,
            "seconds": seconds,
            "training": cell.training_key,
            "training_seconds": log.seconds,
            "curve": log.curve,
            "peak": peaks,
        },
        budgets=budgets,
        scores=judged,
        item_ids=[example.id for example in examples],
        strata={example.id: example.stratum for example in examples},
        instances={example.id: example.instance for example in examples if example.instance},
        likelihood=law,
        timing=timed,
        trace=trace_entry(subject, alone),
        samples=samples(text.task, examples, texts),
        replay=films,
    )


@dataclass(frozen=True)
class Trained:
    """A cell's paradigm with its best weights, and what training took; of a teacher also what writing took, FLOP."""

    paradigm: Paradigm
    log: TrainLog
    teacher: "Trained | None" = None
    written_flops: int = 0


def trained(cell: Cell, text: Text, device: torch.device, make_way: Callable[[], None]) -> Trained:
    """Trains what is not trained yet, a teacher first; make_way is called after every step."""
    run, paradigm = cell.run, cell.paradigm(text.vocabulary)
    paradigm.backbone.initialise(torch.Generator().manual_seed(run.seed))
    paradigm, folder = paradigm.to(device), Path(run.checkpoints) / cell.training_key
    wise = None if cell.teacher is None else trained(cell.teacher, text, device, make_way)
    if cell.teacher is None or wise is None:
        teacher = None
        stream = stream_of(canonical(cell.nodes["task"]), run.checkpoints, cell.train.batch, run.seed)
    else:
        kept = Path(run.checkpoints) / cell.teacher.training_key / f"texts-{cell.teacher.decoding_key}"
        bar = functools.partial(progress_bar, "teacher: write", enabled=run.progress)
        teacher = Teacher(Subject(wise.paradigm, text, [], [], run.seed, device), cell.measure.score_batch, kept, bar)
        stream = Stream(text, cell.train.batch, run.seed, teacher)
    with progress_bar(f"{cell.preset}: train", cell.train.steps, run.progress) as advance:

        def stepped(count: int) -> None:
            advance(count)
            make_way()

        log = fit(paradigm, stream, validation_set(text, device, teacher), cell.train, run.seed, folder, stepped)
    return Trained(paradigm, log, wise, 0 if teacher is None else teacher.flops())


def judge_of(cell: Cell, device: torch.device, make_way: Callable[[], None]) -> Judge:
    """Trained if it is not yet; seed 0, whatever is judged."""
    text = text_of(canonical(cell.nodes["task"]), cell.run.checkpoints)
    made = trained(cell, text, device, make_way)
    what = f"{type(made.paradigm).__name__} on {type(cell.task).__name__}"
    size = sum(weight.numel() for weight in made.paradigm.parameters())
    subject = Subject(made.paradigm, text, [], [], cell.run.seed, device)
    return Judge(subject, cell.measure.score_batch, f"judge:{what}|params:{size}|training:{cell.training_key}")


def validation_set(text: Text, device: torch.device, teacher: Teacher | None = None) -> list[Batch]:
    """Of the kind that is learned from: a student that settles on its teacher's wordings moves away from the data's."""
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


def samples(task: Task, examples: list[Example], texts: list[str]) -> list[dict[str, str]]:
    """The first items as they were written, beside what was asked where the data's licence lets it be repeated."""
    shown = []
    for example, text in zip(examples[:TRACED], texts, strict=False):
        asked = {"prompt": example.prompt, "suffix": example.suffix, "target": example.target} if task.shareable else {}
        draft = {"draft": example.draft} if example.draft else {}
        shown.append({"id": example.id} | asked | draft | {"text": text})
    return shown
