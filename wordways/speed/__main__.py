"""The `wordways-speed` command, also `python -m wordways.speed`: times our programs beside what users would run."""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from wordways.command import interruptible, print_anywhere
from wordways.run.lock import device_lock
from wordways.settings import SettingError, construct
from wordways.speed.figure import save_figure
from wordways.speed.lines import Line, keep_line, read_lines
from wordways.speed.measures import NAMES, SIZES, Name, Size, measures
from wordways.speed.session import taken
from wordways.speed.subjects import CPU
from wordways.speed.tables import ratio, save_tables

DESCRIPTION = """\
Times our decoders and our training step on the CPU, in turns with what users would run, on the same weights, and checks
that both generate the same tokens. Each measure becomes one line of measures.jsonl in the results folder, in the place
of an earlier line of the same measure."""
SETTINGS = f"""\
settings:
  results=FOLDER       by default results/speed
  measures=NAME,...    {", ".join(NAMES)}; by default all
  sizes=NAME,...       {", ".join(SIZES)}; by default all
  seconds=NUMBER       after which a measure ends, but never before six repeats; by default 20"""


@dataclass(frozen=True)
class Asked:
    """The command's settings."""

    results: str = "results/speed"
    measures: list[Name] = field(default_factory=lambda: list(NAMES))
    sizes: list[Size] = field(default_factory=lambda: list(SIZES))
    seconds: float = 20.0

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < math.inf:
            raise ValueError(f"seconds={self.seconds}: must be at least 0")
        if not any(measures(self.measures, self.sizes)):
            raise ValueError(f"sizes={','.join(self.sizes)}: measures={','.join(self.measures)} is not taken there")


def main() -> None:
    """Exits with status 2 and one line where an argument is wrong, with 1 where a measure failed."""
    print_anywhere()
    parser = argparse.ArgumentParser(
        prog="wordways-speed",
        description=DESCRIPTION,
        epilog=SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    try:
        asked = settings_of(parser.parse_args().settings)
        read_lines(Path(asked.results))
        writable(Path(asked.results))
    except ValueError as error:
        print(f"wordways-speed: {error}", file=sys.stderr)
        sys.exit(2)
    with interruptible("wordways-speed", lambda: "finished measures are kept"), device_lock(CPU.type, alone=True):
        sys.exit(0 if run(asked) else 1)


def settings_of(arguments: Sequence[str]) -> Asked:
    """Raises SettingError, one line, where an argument is wrong."""
    found: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise SettingError(f"{argument}: must be NAME=VALUE")
        several = name in ("measures", "sizes")
        found[name] = value.split(",") if several else yaml.safe_load(value) if name == "seconds" else value
    return construct(Asked, found, "")


def writable(folder: Path) -> None:
    """Makes the folder. Raises SettingError where that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"results={folder}: cannot be written to ({error.strerror})") from None


def run(asked: Asked) -> bool:
    """Takes and keeps all measures, draws the figure and the tables; returns whether no measure failed."""
    folder, well = Path(asked.results), True
    for measure in measures(asked.measures, asked.sizes):
        try:
            found = taken(measure, asked.seconds)
        except RuntimeError as error:
            print(f"wordways-speed: {measure.name}, {measure.subject}: {error}", file=sys.stderr)
            well = False
        else:
            keep_line(folder, found)
            print(said(found), flush=True)
    save_figure(read_lines(folder), folder)
    save_tables(read_lines(folder), folder)
    return well


def said(line: Line) -> str:
    """A line of results for a terminal."""
    of = ("size", "title", "batch", "prompt", "tokens", "threads", "precision")
    setting = ", ".join(f"{name} {line.setting[name]}" for name in of)
    return f"{line.name}: {setting}: ratio {ratio(line)} to {line.against}"


if __name__ == "__main__":
    main()
