"""Everything that can be wrong with a configuration, found before anything is trained."""

import itertools
import json
import math
import typing
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from paradigms.base import Checkpoint, Paradigm, Vocabulary
from tasks.base import Task
from tasks.metrics.extra import check_extra
from tasks.metrics.judged import JUDGED
from wordways.labels import titled
from wordways.names import kind, public, renamed
from wordways.record import canonical
from wordways.run.cell import Cell, RunSettings
from wordways.run.measure import MeasureSettings
from wordways.run.rehearse import rehearse_paradigm, rehearse_task
from wordways.run.shared import task_of
from wordways.run.standing import is_finished
from wordways.run.subject import test_set
from wordways.run.text import Text
from wordways.run.train import TrainSettings
from wordways.settings import SettingError, build, check, class_of, construct, locate, shown

PARTS = ("paradigm", "task", "backbone", "train", "measure")
KINDS = {"paradigm": Paradigm, "task": Task, "backbone": torch.nn.Module}
UNTRAINED = {"steps": 0}  # the settings of train=none, without those that a task brings for other choices
TINY = Vocabulary(size=8, mask=2, eos=1, pad=0)  # enough to see that a paradigm can be built
TINY_TRUNK = {"_target_": "paradigms.Backbone", "layers": 1, "width": 8, "heads": 2, "hidden": 8}


def check_cell(config: Mapping[str, Any], preset: str, experiment: str) -> Cell:
    """Raises SettingError, one line, where the configuration cannot run; trains and writes nothing."""
    for name in PARTS:
        if not isinstance(config.get(name), Mapping):
            raise SettingError(f"{name}={shown(config.get(name))}: must be settings")
    config = spelled(config)
    whole = {name: config[name] for name in PARTS}
    whole["train"] = UNTRAINED if whole["train"].get("untrained") else whole["train"]
    title, nodes = titles_of(whole), untitled(renamed(whole, public))
    for name, cls in KINDS.items():
        class_of(nodes[name], name, cls)
    if "decoding" in config:
        check(config["decoding"], locate("paradigms.Decoding"), "decoding")
    run = {name: value for name, value in config.items() if name not in nodes and name != "decoding"}
    train, measure = dict(nodes["train"]), dict(nodes["measure"])
    teacher, judge = train.pop("teacher", None), measure.pop("judge", None)
    judge = None if train == UNTRAINED else judge  # which would have to be trained
    cell = Cell(
        preset,
        experiment,
        title,
        nodes,
        construct(RunSettings, run, ""),
        train_settings(train),
        construct(MeasureSettings, measure, "measure"),
    )
    plain = {**nodes, "train": train, "measure": measure}
    if cell.pretrained is not None:
        named = titled(title.get("paradigm") or preset.replace("_", " "), [cell.pretrained.title])
        cell = replace(cell, title={**title, "paradigm": named})
    if teacher is not None:
        class_of(teacher, "train.teacher", Paradigm)
        own = replace(cell, preset="teacher", nodes={**plain, "paradigm": teacher})
        cell = replace(cell, teacher=own)
    if judge is not None:
        cell = replace(cell, judge=judge_cell(cell, plain, judge))
    return cell if was_finished(cell) else checked(cell)


def was_finished(cell: Cell) -> bool:
    """Whether nothing of it is left to do, so that it need not be checked again."""
    try:
        return is_finished(cell)
    except Exception:  # without its data it has no name; `checked` says what is wrong
        return False


def checked(cell: Cell) -> Cell:
    """Raises SettingError where the cell cannot run."""
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
    for path, one in (("train.teacher", cell.teacher), ("measure.judge.paradigm", cell.judge), ("paradigm", cell)):
        if one is not None:
            backbone = one.nodes["backbone"] if one.pretrained is None else TINY_TRUNK
            masked = rehearse_paradigm(one.nodes["paradigm"], backbone, f"{path}={kind(one.nodes['paradigm'])}")
            check_checkpoint(one, masked)
    rehearse_once(canonical(cell.nodes["task"]))
    own = [metric.name for metric in cell.task.metrics] + list(JUDGED if cell.judge is not None else ())
    try:
        check_extra(cell.measure.extra, own)
    except ValueError as error:
        raise SettingError(f"measure.{error}") from None
    return cell


def train_settings(node: Mapping[str, Any]) -> TrainSettings | None:
    """None where nothing is trained."""
    return None if node == UNTRAINED else construct(TrainSettings, node, "train")


def check_checkpoint(cell: Cell, reads_masks: bool) -> None:
    """Raises SettingError where a run without training has no checkpoint, or one that cannot do what it is asked."""
    if cell.training is not None and "train" not in cell.task.splits:
        raise SettingError(f"task={kind(cell.nodes['task'])}: has no training texts; use it with train=none")
    if cell.pretrained is None:
        if cell.training is None:
            raise SettingError("train=none: allowed only with backbone=pretrained, because nothing else has weights")
        return
    check_weights(cell.pretrained, cell.preset if cell.training is None and reads_masks else "")
    name = cell.pretrained.title
    try:
        tokens, example = longest(cell.text, cell.measure.items)
    except Exception as error:  # tokenizers raise no other class where a vocabulary lacks a word
        raise SettingError(f"backbone.name={name}: its tokenizer does not encode this task: {error}") from None
    if tokens > (limit := cell.pretrained.positions):
        raise SettingError(f"backbone.name={name}: {example} has {tokens} tokens, the checkpoint at most {limit}")


def check_weights(checkpoint: Checkpoint, reads_masks: str) -> None:
    """Raises SettingError where a checkpoint is unusable, or lacks a mask; reads_masks: the paradigm that needs one."""
    try:
        ids = checkpoint.ids
        _ = checkpoint.names, checkpoint.fingerprint  # which read all files
        checkpoint.check_memory()
    except ValueError as error:
        raise SettingError(f"backbone.{error}") from None
    if reads_masks and not ids.own_mask:
        name = checkpoint.title
        raise SettingError(
            f"backbone.name={name}: has no mask token, which paradigm={reads_masks} reads; train it first"
        )


@lru_cache(maxsize=64)
def longest(text: Text, items: int | None) -> tuple[int, str]:
    """Tokens and name of the longest test example; the cells of a sweep share it."""
    examples, rows = test_set(text.task, text, items)
    tokens = [len(row.prompt) + max(row.room, len(row.target)) + len(row.suffix) for row in rows]
    return max(zip(tokens, [example.id for example in examples], strict=True))


def judge_cell(cell: Cell, plain: Mapping[str, Any], judge: Mapping[str, Any]) -> Cell:
    """The judge LM as a cell of its own, with the training settings of the cell that it judges.

    A judge without a backbone has the cell's, and without a seed 0, as all had before these settings existed.
    """
    if not isinstance(judge, Mapping):
        raise SettingError(f"measure.judge={shown(judge)}: must be settings, or null for no judge")
    allowed = [*KINDS, "seed"]
    for name in judge:
        if name not in allowed:
            known = ", ".join(allowed)
            raise SettingError(f"measure.judge.{name}={shown(judge[name])}: no such setting; a judge has {known}")
        if name in KINDS:
            class_of(judge[name], f"measure.judge.{name}", KINDS[name])
    nodes = {**plain, **{name: node for name, node in judge.items() if name != "seed"}}
    seed = check(judge.get("seed", 0), int, "measure.judge.seed")
    try:
        run = replace(cell.run, seed=seed)
    except ValueError as error:
        raise SettingError(f"measure.judge.{error}") from None
    with torch.device("meta"):
        build(nodes["backbone"], "measure.judge.backbone", vocabulary_size=TINY.size)
    return replace(cell, preset="judge", nodes=nodes, run=run, teacher=None)


def judged_by_itself(cell: Cell) -> str:
    """Why a cell must not be run: its judge LM is the model whose texts it judges, or that model's teacher; else empty.

    No part of `check_cell`, because records of such cells exist, and their commands must still lead to them.
    """
    if cell.judge is None:
        return ""
    contestants = [one.training_key for one in (cell, cell.teacher) if one is not None]
    if cell.judge.training_key not in contestants:
        return ""
    seed = cell.judge.run.seed
    return f"measure.judge.seed={seed}: is the training of {cell.preset}; a judge has another seed or size"


def larger_than_the_data(cell: Cell) -> str:
    """Why a cell must not be run: a batch has more rows than the task has training examples; else empty."""
    if cell.training is None or cell.task.generated:
        return ""
    batch = cell.training.batch
    found = training_examples(canonical(cell.nodes["task"]), batch)
    return f"train.batch={batch}: the task has only {found} training examples" if found < batch else ""


@lru_cache(maxsize=64)
def training_examples(node: str, most: int) -> int:
    """The number of a task's training examples, counted up to `most`."""
    return sum(1 for _ in itertools.islice(task_of(node).examples("train"), most))


@lru_cache(maxsize=64)
def rehearse_once(node: str) -> None:
    """The cells of a sweep share a task, which is rehearsed once."""
    rehearse_task(task_of(node), f"task={kind(json.loads(node))}")


def titles_of(nodes: Mapping[str, Any]) -> dict[str, str]:
    """What tables call the paradigm and the task, as their presets say: a `title` in their settings."""
    found = {name: nodes[name].get("title") for name in ("paradigm", "task")}
    for name, title in found.items():
        if title is not None and not (isinstance(title, str) and title.strip() and title.isprintable()):
            raise SettingError(f"{name}.title={shown(title)}: must be a text of one line")
    return {name: title for name, title in found.items() if title is not None}


def spelled(value: Any) -> Any:
    """Settings in which nan and inf, which hydra reads as floats, are words again: a language may be called nan."""
    if isinstance(value, Mapping):
        return {name: spelled(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return list(map(spelled, value))
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def untitled(value: Any) -> Any:
    """Settings without titles: these name results and are no part of them."""
    if isinstance(value, Mapping):
        return {name: untitled(inner) for name, inner in value.items() if name != "title"}
    return value


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
    elif not isinstance(drafter, typing.get_type_hints(type(paradigm).__init__).get("decoder", ())):
        raise SettingError(f"measure.drafter={name}: does not decode {type(paradigm).__name__}")
