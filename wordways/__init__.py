"""The harness: it trains, watches, times, scores and reports; it never knows which paradigm it has before it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordways.frames import Frames

__version__ = "0.1.0"


def load(results: str | Path) -> "Frames":
    """The records of a results folder as data frames: `.cells`, `.items`, `.timing`, `.numbers`."""
    from wordways.frames import load as read

    return read(results)
