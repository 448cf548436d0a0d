"""Who works on what in a results folder: a lock file for every piece of work, in which its owner notes what it does.

A lock ends with the process that holds it, so that whoever comes next takes over from a process that was killed.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from wordways.run.lock import acquired, until

FOLDER = ".running"
EVERY_S = 2.0  # between two notes of the same activity


@dataclass(frozen=True)
class Work:
    """A piece of work and what is done for it now.

    of: a cell's name, or that of a phase.  since, at: when it began and when this was noted, seconds since the epoch.
    done, total: steps or items of `doing`, since `doing_since`.
    """

    of: str
    host: str
    pid: int
    since: float
    at: float
    doing: str = ""
    doing_since: float = 0.0
    done: int = 0
    total: int = 0


CURRENT: ContextVar[Callable[[str, int, int], None] | None] = ContextVar("current", default=None)


def note(doing: str, done: int, total: int) -> None:
    """Notes what this process does now, if it holds a piece of work."""
    if (write := CURRENT.get()) is not None:
        write(doing, done, total)


@contextmanager
def working(results: Path, of: str, *, wait: bool, why: str) -> Iterator[bool]:
    """Holds a piece of work. Yields False where another process holds it and `wait` is False.

    why: what is said once where waiting takes more than ten seconds.
    """
    with held(results / FOLDER / of, wait, why) as file:
        if file is None:
            yield False
            return
        with noting(file, of):
            yield True


@contextmanager
def sharing(results: Path, of: str) -> Iterator[None]:
    """For a process that does the work which its parent holds."""
    with (results / FOLDER / of).open("r+b") as file, noting(file, of):
        yield


@contextmanager
def noting(file: IO[bytes], of: str) -> Iterator[None]:
    now = time.time()
    token = CURRENT.set(notes_in(file, Work(of, socket.gethostname(), os.getpid(), now, now)))
    try:
        note("", 0, 0)
        yield
    finally:
        CURRENT.reset(token)


def notes_in(file: IO[bytes], work: Work) -> Callable[[str, int, int], None]:
    """Writes the state of a piece of work into its lock file, not more often than anybody would look."""
    last = 0.0

    def write(doing: str, done: int, total: int) -> None:
        nonlocal work, last
        now = time.time()
        if doing != work.doing:
            work = replace(work, doing=doing, doing_since=now)
        elif now - last < EVERY_S:
            return
        work, last = replace(work, at=now, done=done, total=total), now
        with suppress(OSError):  # a full disk is no reason to fail here
            file.seek(0)
            file.truncate()
            file.write(json.dumps(asdict(work)).encode())
            file.flush()

    return write


@contextmanager
def held(path: Path, wait: bool, why: str) -> Iterator[IO[bytes] | None]:
    """A locked file that exists only while it is held; None where another process holds it and `wait` is False."""
    file = until(lambda: locked(path), why) if wait else locked(path)
    if file is None:
        yield None
        return
    try:
        yield file
    finally:
        path.unlink(missing_ok=True)
        file.close()
        with suppress(OSError):  # others work in this folder
            path.parent.rmdir()


def locked(path: Path) -> IO[bytes] | None:
    """The file, locked and not removed meanwhile by its last owner; None where another process holds it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            if os.path.lexists(path.parent) and not path.parent.is_dir():
                raise
            continue  # the folder was there, and was removed before it was looked at
        try:
            file = path.open("a+b")
        except FileNotFoundError:  # the folder was removed at this moment
            continue
        if not acquired(file, alone=True):
            file.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def works(results: Path) -> list[Work]:
    """What processes work on now in a results folder."""
    found = []
    for path in sorted((results / FOLDER).glob("*")):
        with suppress(OSError, ValueError, TypeError), path.open("rb") as file:
            if not acquired(file, alone=True):
                found.append(Work(**json.loads(file.read())))
    return found
