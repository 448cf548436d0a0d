"""Every cell beside what theory demands of it: value, tolerance, interval, holds or not."""

import inspect
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tasks.base import Setting, Task
from wordways.derive import nats_per_token, quality, quotas
from wordways.record import Record, canonical
from wordways.settings import build, locate
from wordways.stats import Interval

TOLERANCES = Path(__file__).resolve().parent.parent / "conf" / "tolerances.yaml"
UNCUT = {"top_k": None, "top_p": None, "min_p": None, "repetition_penalty": 1.0}


def oracle_lines(records: list[Record]) -> list[dict[str, Any]]:
    """One entry a cell, stratum and measure whose theory is defined, in a fixed order, whether it holds or not."""
    lines = [line for record in records if record.status == "ok" for line in lines_of(record)]
    return sorted(
        lines, key=lambda line: (line["task"], line["measure"], line["paradigm"], line["preset"], line["seed"])
    )


def lines_of(record: Record) -> Iterator[dict[str, Any]]:
    decoder = record.config["paradigm"]["decoder"]
    if record.likelihood is None or any(decoder.get(name, uncut) != uncut for name, uncut in UNCUT.items()):
        return
    for stratum in record.groups():
        written = quotas(record, stratum)
        if written is None:
            continue
        for measure, measured in (
            ("accuracy", quality(record, "accuracy", stratum)),
            ("nats_per_token", nats_per_token(record, stratum)),
        ):
            setting = Setting(
                measure, stratum, written, decoder.get("order"), decoder["temperature"], record.likelihood["kind"]
            )
            line = judge(record, setting, measured)
            if line is not None:
                yield line


def judge(record: Record, setting: Setting, measured: Interval | None) -> dict[str, Any] | None:
    theory = task_of(canonical(record.config["task"])).theory(setting)
    if theory is None or measured is None:
        return None
    tolerance = tolerances()[module(record.config["task"])][theory.tolerance]
    return {
        "task": module(record.config["task"]),
        "operation": setting.stratum,
        "measure": setting.measure,
        "n": sum(setting.quotas),
        "k": max(setting.quotas),
        "quotas": list(setting.quotas),
        "order": setting.order,
        "temperature": setting.temperature,
        "threshold": None,
        "paradigm": module(record.config["paradigm"]),
        "preset": record.config["preset"],
        "seed": record.config["seed"],
        "theory": theory.value,
        "tolerance": tolerance,
        "measured": measured.value,
        "low": measured.low,
        "high": measured.high,
        "items": measured.n,
        "holds": abs(measured.value - theory.value) <= tolerance,
    }


def module(node: Mapping[str, Any]) -> str:
    """The file a class lives in, which is the name of a paradigm and of a task."""
    return node["_target_"].split(".")[-2]


@lru_cache(maxsize=64)
def task_of(node: str) -> Task:
    settings = json.loads(node)
    del settings["data_hash"]
    parameters = inspect.signature(locate(settings["_target_"])).parameters
    return build(settings | ({"data": None} if "data" in parameters else {}), "task")


@lru_cache(maxsize=1)
def tolerances() -> Mapping[str, Mapping[str, float]]:
    return yaml.safe_load(TOLERANCES.read_text())
