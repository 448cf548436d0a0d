"""From a record back to what made it: its task and its cell, so that a finished run can be scored or exported."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.base import Task
from wordways.names import kind
from wordways.record import Record, canonical
from wordways.run.cell import Cell, RunSettings
from wordways.run.check import train_settings
from wordways.run.measure import MeasureSettings
from wordways.run.shared import task_of
from wordways.settings import SettingError, construct, locate


def task_of_record(record: Record, data: str | None) -> Task:
    """The task with its data, `data` as in task.data. Raises SettingError where these are not those of the record."""
    node = task_node(record, data)
    task, known = task_of(canonical(node)), record.config["task"]["data_hash"]
    try:
        same = task.data_hash() == known
    except ValueError as error:
        raise SettingError(f"task.{error}") from None
    if not same:
        raise SettingError(f"task.data={data}: holds other data than those of task={kind(node)} in the record, {known}")
    return task


def task_node(record: Record, data: str | None) -> dict[str, Any]:
    node = without("data_hash", record.config["task"])
    has_data = "data" in inspect.signature(locate(node["_target_"])).parameters
    return node | {"data": data} if has_data else node


def cell_of_record(record: Record, checkpoints: Path, data: str | None) -> Cell:
    """The cell of a trained model on the CPU. Raises SettingError where this version cannot build it, or has no data.

    Its teacher and its judge LM are part of its settings, but no cells.
    """
    task_of_record(record, data)
    config = record.config
    nodes = {name: config[name] for name in ("paradigm", "backbone", "train", "measure")}
    return Cell(
        config["preset"],
        config["experiment"],
        config.get("title", {}),
        nodes | {"task": task_node(record, data)},
        RunSettings(config["seed"], "cpu", "float32", None, ".", str(checkpoints), "missing", progress=False),
        train_settings(without("teacher", config["train"])),
        construct(MeasureSettings, without("judge", config["measure"]), "measure"),
    )


def without(name: str, node: Mapping[str, Any]) -> dict[str, Any]:
    return {other: value for other, value in node.items() if other != name}
