"""Checks every run against its analytic values: value, tolerance, measurement, interval, and whether it passes."""

import inspect
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tasks.base import Setting, Task, Theory
from wordways.names import kind
from wordways.record import Record, canonical, remembered
from wordways.report.derive import decoder_of, holes, quality, quotas
from wordways.report.likelihoods import (
    APPROXIMATE,
    OWN_LAW,
    exact_nats_per_token,
    gap_bits,
    kl_per_token,
    nats_per_token,
    reverse_kl_per_token,
)
from wordways.report.stats import Interval
from wordways.settings import SettingError, build, locate

ADAPTIVE = ("factor", "entropy_bound")  # the number of tokens committed per pass depends on the predictions
MEASURES: dict[str, Callable[[Record, str], Interval | None]] = {
    "accuracy": lambda record, stratum: quality(record, "accuracy", stratum),
    "nats_per_token": nats_per_token,
    "exact_nats_per_token": exact_nats_per_token,
    "kl": kl_per_token,
    "reverse_kl": reverse_kl_per_token,
}


def oracle_lines(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One entry per run, stratum and measure with an analytic value, in a fixed order, whether it passes or not."""
    done = [record for record in records if record.status == "ok" and not record.is_baseline]
    lines = [line for record in done for line in lines_of(record)] + list(gap_lines(done))
    return sorted(
        lines,
        key=lambda line: (line["task"], line["n"], line["measure"], line["paradigm"], line["preset"], line["seed"]),
    )


@remembered
def lines_of(record: Record) -> list[dict[str, Any]]:
    """The checks of a single record."""
    return list(judged(record))


def judged(record: Record) -> Iterator[dict[str, Any]]:
    decoder = decoder_of(record)
    if record.likelihood is None or any(decoder.get(name, value) != value for name, value in OWN_LAW.items()):
        return
    if "teacher" in record.config["train"]:
        return  # analytic values are those of the data distribution
    if decoder.get("cache") in APPROXIMATE or any(decoder.get(name) is not None for name in ADAPTIVE):
        return
    own_loop = "_target_" in decoder and "order" not in decoder
    if own_loop and set((record.trace or {"calls": ()})["calls"]) != {1}:
        return  # it revises: its distribution is unknown, unless one pass samples all tokens independently
    for stratum in record.groups():
        for measure, value in MEASURES.items():
            if own_loop and measure != "accuracy":
                continue  # a bound depends on how the paradigm hides tokens
            line = judge(record, measure, stratum, value(record, stratum))
            if line is not None:
                yield line


def gap_lines(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """Checks on the likelihood gap between single-pass and one-by-one decoding, for models trained alike."""
    twins: dict[str, list[Record]] = {}
    for record in records:
        if record.likelihood is None or record.likelihood["kind"] != "exact" or "teacher" in record.config["train"]:
            continue
        alike = {name: record.config[name] for name in ("task", "backbone", "train", "seed", "device", "dtype")}
        twins.setdefault(canonical(alike), []).append(record)
    for group in twins.values():
        for stratum in dict.fromkeys(stratum for record in group for stratum in lost_bits(record)):
            written = [(record, quotas(record, stratum) or ()) for record in group]
            parallel = [record for record, passes in written if len(passes) == 1 < max(passes)]
            serial = [record for record, passes in written if set(passes) == {1}]
            for at_once, one_by_one in itertools.product(parallel, serial):
                measured = gap_bits(at_once, one_by_one, stratum, lost_bits(at_once)[stratum])
                line = judge(at_once, "gap_bits", stratum, measured)
                if line is not None:
                    yield line | {"against": one_by_one.config["preset"]}


def judge(record: Record, measure: str, stratum: str, measured: Interval | None) -> dict[str, Any] | None:
    decoder, written = decoder_of(record), quotas(record, stratum)
    threshold, temperature = decoder.get("threshold"), decoder.get("temperature")
    if measured is None or record.likelihood is None or (written is None and threshold is None):
        return None
    if temperature is None:  # the distribution that was sampled from is unknown
        return None
    order, block = decoder.get("order"), record.config["paradigm"].get("block")
    numbers = all(isinstance(value, int | float | None) for value in (temperature, threshold, block))
    if not numbers or not isinstance(order, str | None):  # settings of a class that has others under these names
        return None
    setting = Setting(
        measure, stratum, written or (), order, temperature, record.likelihood["kind"], threshold, block
    )  # fmt: skip
    theory = theory_of(canonical(record.config["task"]), setting)
    if theory is None:
        return None
    return {
        "task": kind(record.config["task"]),
        "operation": stratum,
        "measure": measure,
        "n": holes(record, stratum),
        "k": max(written) if written and threshold is None else None,
        "quotas": list(written) if written else None,
        "order": setting.order,
        "temperature": setting.temperature,
        "threshold": setting.threshold,
        "paradigm": kind(record.config["paradigm"]),
        "preset": record.config["preset"],
        "seed": record.config["seed"],
        "theory": float(theory.value),
        "tolerance": theory.tolerance,
        "measured": measured.value,
        "low": measured.low,
        "high": measured.high,
        "items": measured.n,
        "holds": bool(abs(measured.value - theory.value) <= theory.tolerance),
    }


@remembered
def lost_bits(record: Record) -> dict[str, float]:
    """Conditional total correlation (bits) lost by factorised sampling, of every stratum for which it is known."""
    found = {}
    for stratum in record.groups() if record.trace is not None else []:
        if not holes(record, stratum):
            continue
        at_once = Setting("gap_bits", stratum, (holes(record, stratum),), None, 1.0, "exact")
        theory = theory_of(canonical(record.config["task"]), at_once)
        if theory is not None:
            found[stratum] = theory.value
    return found


def corpus_of(node: Mapping[str, Any]) -> str:
    """The task's corpus; empty also where this version cannot build the task."""
    try:
        return task_of(canonical(node)).corpus
    except SettingError:
        return ""


@lru_cache(maxsize=4096)
def theory_of(node: str, setting: Setting) -> Theory | None:
    """The analytic value; None also of a stratum that the task does not have.

    None, too, where this version cannot build the task, which `strangers` reports.
    """
    try:
        task = task_of(node)
    except SettingError:
        return None
    return task.theory(setting) if setting.stratum in task.strata else None


def strangers(records: Sequence[Record]) -> list[str]:
    """A line for every task that this version cannot build, so that its analytic values are unavailable."""
    found = []
    for node in dict.fromkeys(canonical(record.config["task"]) for record in records):
        try:
            task_of(node)
        except SettingError as error:
            found.append(f"no analytic values: {error}")
    return found


@lru_cache(maxsize=64)
def task_of(node: str) -> Task:
    """The task of these settings. Raises SettingError unless it and all within it are tasks: records are untrusted."""
    settings = json.loads(node)
    for path, target in classes_in(settings, "task"):
        check_task(path, target)
    settings.pop("data_hash", None)
    parameters = inspect.signature(locate(settings["_target_"])).parameters
    try:
        return build(settings | ({"data": None} if "data" in parameters else {}), "task")
    except SettingError:
        raise
    except Exception as error:  # settings that no run has checked
        raise SettingError(f"task._target_={settings['_target_']}: cannot be built ({type(error).__name__})") from None


def check_task(path: str, target: Any) -> None:
    """Raises SettingError unless this is the public name of a task that can be built without reading anything."""
    if not isinstance(target, str) or not re.fullmatch(r"tasks\.[A-Z]\w*", target):
        raise SettingError(f"{path}={target}: must be the public name of a task, such as tasks.Bigram")
    cls = locate(target)
    if not inspect.isclass(cls) or not issubclass(cls, Task):
        raise SettingError(f"{path}={target}: is no task")
    if cls.reads_when_built:
        raise SettingError(f"{path}={target}: is not built for a report, because it reads files when it is built")


def classes_in(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every class that a node of settings names, at any depth, with its path."""
    if isinstance(value, Mapping):
        yield from ((f"{path}.{name}", entry) for name, entry in value.items() if name == "_target_")
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from classes_in(one, f"{path}.{name}")
