"""The harness: run/ trains, measures and writes records, report/ reads them; both treat all paradigms alike."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordways.report.frames import Frames

__version__ = "0.1.0"
PACKAGE = Path(__file__).resolve().parent
HOME = PACKAGE.parent  # the repository, or where the packages are installed
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else HOME / "conf"


def load(results: str | Path) -> "Frames":
    """The records of a results folder as data frames: `.cells`, `.items`, `.timing`, `.numbers`."""
    from wordways.report.frames import load as read

    return read(results)
