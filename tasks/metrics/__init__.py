"""Metrics: how generated texts are scored, one class a metric, with its formula and source.

A new metric is one file in this folder; `METRICS` discovers its class.
"""

import inspect
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from tasks.metrics.base import Metric

METRICS: dict[str, Metric]
"""Every metric of this folder that can be built without arguments, by its name."""


def __getattr__(name: str) -> Any:
    """METRICS, discovered on first access: importing one metric need not load the libraries of all others."""
    if name != "METRICS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = by_name(discovered())
    return globals()[name]


def discovered() -> Iterable[type[Metric]]:
    """The concrete metric classes that the modules of this folder define; base.py holds what they share."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in ("__init__", "base"):
            continue
        module = import_module(f"tasks.metrics.{path.stem}")
        for kind in vars(module).values():
            own = inspect.isclass(kind) and kind.__module__ == module.__name__
            if own and issubclass(kind, Metric) and not inspect.isabstract(kind) and takes_no_arguments(kind):
                yield kind


def takes_no_arguments(kind: type) -> bool:
    parameters = inspect.signature(kind).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


def by_name(kinds: Iterable[type[Metric]]) -> dict[str, Metric]:
    """One instance of each class, sorted by name. Raises ValueError if a name is missing or occurs twice."""
    found: dict[str, Metric] = {}
    for kind in kinds:
        name, where = getattr(kind, "name", None), f"{kind.__module__}.{kind.__name__}"
        if name is None:
            raise ValueError(f"{where}: must have a name, by which records and tables call the metric")
        if name in found:
            other = type(found[name])
            raise ValueError(f"{where}: name={name} is taken by {other.__module__}.{other.__name__}")
        found[name] = kind()
    return dict(sorted(found.items()))
