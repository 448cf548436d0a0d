"""The `wordways-status` command: what of a results folder is done, runs, waits or failed, read from its files alone."""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wordways.command import interruptible, print_anywhere
from wordways.history import DAMAGED, commands_of, history_file
from wordways.record import Record, holds_records, read_records
from wordways.run.working import FOLDER, Work, works

SHOWN = 10  # waiting runs that are listed


@dataclass(frozen=True)
class Status:
    """Of a results folder. asked: the runs that its commands asked for, by name, in words.

    records: of the runs that have one.  running: what processes hold now, phases of the whole folder included.
    """

    asked: Mapping[str, str]
    records: Sequence[Record]
    refused: Sequence[str]
    running: Sequence[Work]

    @property
    def done(self) -> list[Record]:
        """With results, or skipped."""
        return [record for record in self.records if record.status != "failed"]

    @property
    def failed(self) -> list[Record]:
        held = {work.of for work in self.running}
        return [record for record in self.records if record.status == "failed" and record.cell not in held]

    @property
    def waiting(self) -> list[str]:
        """Names of runs that were asked for, have no record and are not running."""
        known = {name for record in self.records for name in (record.cell, *record.aliases)}
        return [name for name in self.asked if name not in known | {work.of for work in self.running}]

    def seconds_left(self) -> float | None:
        """At the pace of the finished runs, with as many processes as now; None where nothing can be said."""
        took = [sum(record.provenance.get("seconds", {}).values()) for record in self.done if record.status == "ok"]
        if not self.running or (self.waiting and not took):
            return None
        each = statistics.mean(took) if took else 0.0
        running = [left if (left := seconds_left(work)) is not None else each for work in self.running]
        return (sum(running) + each * len(self.waiting)) / len(self.running)

    def lines(self, now: float) -> list[str]:
        counts = (("done", self.done), ("running", self.running), ("waiting", self.waiting), ("failed", self.failed))
        untimed = sum(one.status == "ok" and not one.is_timed for one in self.done)
        left = self.seconds_left()
        pace = "" if left is None else f"; about {spoken(left)} left at the pace so far, timing not included"
        found = [", ".join(f"{len(some)} {word}" for word, some in counts) + f", {untimed} not timed yet" + pace]
        found += [f"running  {self.asked.get(work.of, work.of)}: {told(work, now)}" for work in self.running]
        found += [f"failed   {named(self.asked, record)}: {last_line(record.reason)}" for record in self.failed]
        found += [f"waiting  {self.asked[name]}" for name in self.waiting[:SHOWN]]
        if len(self.waiting) > SHOWN:
            found.append(f"waiting  {len(self.waiting) - SHOWN} more")
        return found + [f"not a record: {line}" for line in self.refused]


def seconds_left(work: Work) -> float | None:
    """Of what a process does now; None where it has not advanced yet."""
    if not 0 < work.done <= work.total:
        return None
    return (work.at - work.doing_since) / work.done * (work.total - work.done)


def told(work: Work, now: float) -> str:
    """Where a piece of work is done, since when, and how far it is."""
    step = f", {work.done} of {work.total}" if work.total else ""
    left = "" if (seconds := seconds_left(work)) is None else f", {spoken(seconds)} left of it"
    return f"{work.doing or 'starting'}{step}{left} (for {spoken(now - work.since)} on {work.host}, process {work.pid})"


def spoken(seconds: float) -> str:
    """A duration in words."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def named(asked: Mapping[str, str], record: Record) -> str:
    own = f"{record.config.get('preset')}, seed {record.config.get('seed')}"
    return asked.get(record.cell, own)


def last_line(reason: str) -> str:
    return (reason.strip().splitlines() or ["no reason was kept"])[-1]


def status_of(results: Path) -> Status:
    """Raises ValueError where the folder's list of commands is damaged."""
    records, refused = read_records(results)
    return Status(asked_of(results), [one for one in records if not one.is_baseline], refused, works(results))


def asked_of(results: Path) -> dict[str, str]:
    """The runs that the folder's commands asked for. Raises ValueError where the list is damaged."""
    try:
        return {str(name): str(words) for entry in commands_of(results) for name, words in entry["cells"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{history_file(results)} {DAMAGED}") from None


def main() -> None:
    """Exits with status 2 and one line where a folder has nothing to tell."""
    print_anywhere()
    parser = argparse.ArgumentParser(prog="wordways-status", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="results folders")
    folders = parser.parse_args().results
    with interruptible("wordways-status"):
        for folder in folders:
            if not (holds_records(folder) or history_file(folder).is_file() or (folder / FOLDER).is_dir()):
                print(f"wordways-status: {folder}: is no results folder; it has no records", file=sys.stderr)
                sys.exit(2)
            try:
                lines = status_of(folder).lines(time.time())
            except ValueError as error:
                print(f"wordways-status: {error}", file=sys.stderr)
                sys.exit(2)
            print(f"{folder}: " + "\n  ".join(lines))


if __name__ == "__main__":
    main()
