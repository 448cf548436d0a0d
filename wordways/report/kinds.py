"""Discovers table and figure kinds: a new file in tables/ or figures/ is a new kind."""

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from wordways.report.rows import Row, apart_by_machine


@lru_cache(maxsize=4)
def kinds(package: str) -> list[ModuleType]:
    """The modules of `wordways.report.<package>`, sorted by their ORDER."""
    home = Path(__file__).parent / package
    names = sorted(path.stem for path in home.glob("*.py") if path.stem != "__init__")
    return sorted((import_module(f"wordways.report.{package}.{name}") for name in names), key=lambda one: one.ORDER)


def rows_for(kind: ModuleType, rows: Sequence[Row], baselines: Sequence[Row]) -> Sequence[Row]:
    """The rows of a task as a kind needs them.

    Those that declare `BASELINES` also get its trivial baselines; to those that declare `TIMES`, a row that was timed
    on several machines is one for each of them.
    """
    shown = apart_by_machine(rows) if getattr(kind, "TIMES", False) else rows
    return [*shown, *baselines] if getattr(kind, "BASELINES", False) else shown
