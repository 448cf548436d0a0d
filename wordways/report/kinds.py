"""Discovers table and figure kinds: a new file in tables/ or figures/ is a new kind."""

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType


@lru_cache(maxsize=4)
def kinds(package: str) -> list[ModuleType]:
    """The modules of `wordways.report.<package>`, sorted by their ORDER."""
    home = Path(__file__).parent / package
    names = sorted(path.stem for path in home.glob("*.py") if path.stem != "__init__")
    return sorted((import_module(f"wordways.report.{package}.{name}") for name in names), key=lambda one: one.ORDER)
