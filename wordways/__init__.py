"""The harness: run/ trains, measures and writes records, report/ reads them; both treat all paradigms alike."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordways.report.frames import Frames

__version__ = "0.1.0"
HOME = Path(__file__).resolve().parent.parent
CONF = HOME / "conf"


def load(results: str | Path) -> "Frames":
    """The records of a results folder as data frames: `.cells`, `.items`, `.timing`, `.numbers`."""
    from wordways.report.frames import load as read

    return read(results)
