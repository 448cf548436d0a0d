"""Everything that can be wrong with a configuration, found before anything is trained."""

import json
import typing
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from paradigms.base import Paradigm, Vocabulary
from tasks.metrics.extra import check_extra
from tasks.metrics.judged import JUDGED
from wordways.names import kind, public, renamed
from wordways.record import canonical
from wordways.run.cell import Cell, RunSettings
from wordways.run.measure import MeasureSettings
from wordways.run.rehearse import rehearse_paradigm, rehearse_task
from wordways.run.shared import task_of
from wordways.run.train import TrainSettings
from wordways.settings import SettingError, build, construct

TINY = Vocabulary(size=8, mask=2, eos=1, pad=0)  # enough to see that a paradigm can be built


def check_cell(config: Mapping[str, Any], preset: str, experiment: str) -> Cell:
    """Raises SettingError, one line, where the configuration cannot run; trains and writes nothing."""
    whole = {name: config[name] for name in ("paradigm", "task", "backbone", "train", "measure")}
    title, nodes = titles_of(whole), untitled(renamed(whole, public))
    run = {name: value for name, value in config.items() if name not in nodes and name != "decoding"}
    train, measure = dict(nodes["train"]), dict(nodes["measure"])
    teacher, judge = train.pop("teacher", None), measure.pop("judge", None)
    cell = Cell(
        preset,
        experiment,
        title,
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
    for path, one in (("train.teacher", cell.teacher), ("measure.judge.paradigm", cell.judge), ("paradigm", cell)):
        if one is not None:
            rehearse_paradigm(one.nodes["paradigm"], one.nodes["backbone"], f"{path}={kind(one.nodes['paradigm'])}")
    rehearse_once(canonical(cell.nodes["task"]))
    own = [metric.name for metric in cell.task.metrics] + list(JUDGED if cell.judge is not None else ())
    try:
        check_extra(cell.measure.extra, own)
    except ValueError as error:
        raise SettingError(f"measure.{error}") from None
    return cell


@lru_cache(maxsize=64)
def rehearse_once(node: str) -> None:
    """The cells of a sweep share a task, which is rehearsed once."""
    rehearse_task(task_of(node), f"task={kind(json.loads(node))}")


def titles_of(nodes: Mapping[str, Any]) -> dict[str, str]:
    """What tables call the paradigm and the task, as their presets say: a `title` in their settings."""
    found = {name: nodes[name].get("title") for name in ("paradigm", "task")}
    for name, title in found.items():
        if title is not None and not (isinstance(title, str) and title.strip()):
            raise SettingError(f"{name}.title={title}: must be a text")
    return {name: title for name, title in found.items() if title is not None}


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
