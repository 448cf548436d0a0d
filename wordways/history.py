"""The commands that made a results folder, and the runs that they asked for: its config.yaml."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from wordways.files import write_atomically

DAMAGED = "is damaged; move it elsewhere, the records are not affected"


def history_file(results: Path) -> Path:
    return results / "config.yaml"


def commands_of(results: Path) -> list[Any]:
    """One entry a command. Raises ValueError where the file is damaged: what is wrong, to follow the file's name."""
    path = history_file(results)
    try:
        known = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        known = None
    if not isinstance(known, list):
        raise ValueError(DAMAGED)
    return known


def write_commands(results: Path, entries: Sequence[Any]) -> None:
    write_atomically(history_file(results), yaml.safe_dump(list(entries), sort_keys=False, width=200))
