"""File locks: one per device, so that nothing else runs during timings, and one per training, so that it runs once."""

import errno
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TypeVar

try:
    import fcntl
except ImportError:  # without file locks on this system, it is up to the user that nothing else runs during timings
    fcntl = None

T = TypeVar("T")
PATIENCE_S = 10.0
POLL_S = 0.05
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}  # what file systems without flock answer
NOTED: set[int] = set()  # reasons that were said
NO_ENTRY = {errno.EACCES, errno.EPERM, errno.EROFS}  # another user's folder, or one that is read-only


@contextmanager
def device_lock(device: str, *, alone: bool) -> Iterator[Callable[[], None]]:
    """Holds the device's lock: training and scoring share it, timing holds it exclusively, across the user's processes.

    Yields a function that a long-running holder calls regularly: it releases the lock while another process waits for
    it. A waiting process holds a second lock, the gate, which all others must take first, so that none overtakes it.
    """
    why = f"another run is using the device {device}"
    gate, lock = (own_folder() / f"{device}.{name}" for name in ("gate", "lock"))
    with ExitStack() as held:

        def enter() -> None:
            with file_lock(gate, alone=True, why=why):
                held.enter_context(file_lock(lock, alone=alone, why=why))

        def make_way() -> None:
            if not free(gate):
                held.close()
                enter()

        enter()
        yield make_way


def own_folder() -> Path:
    """The user's own folder among the temporary files; users are told apart by number, since not all have a name."""
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"wordways{user}"


@contextmanager
def file_lock(path: Path, *, alone: bool, why: str) -> Iterator[None]:
    """Holds a lock file, exclusively or shared. Waits without a limit; after ten seconds prints `why`.

    Holds nothing, and says so, where the file cannot be opened or the file system has no locks.
    """
    with opened(path) as file:
        until(lambda: acquired(file, alone=alone), why)
        yield  # closing the file releases the lock


def until(attempt: Callable[[], T | None], why: str) -> T:
    """What an attempt gives as soon as it gives anything. Waits without a limit; after ten seconds prints `why`."""
    began, said = time.monotonic(), False
    while not (found := attempt()):
        if not said and time.monotonic() - began > PATIENCE_S:
            print(f"waiting: {why}", file=sys.stderr)
            said = True
        time.sleep(POLL_S)
    return found


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes] | None]:
    """A lock file; None where it can be neither made nor opened."""
    file = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        if error.errno not in NO_ENTRY:
            raise
        note(path, error)
    try:
        yield file
    finally:
        if file is not None:
            file.close()


def acquired(file: IO[bytes] | None, *, alone: bool) -> bool:
    """Tries to lock an open file without waiting. Always True on systems and file systems without locks."""
    if fcntl is None or file is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        note(Path(file.name), error)
    return True


def note(path: Path, error: OSError) -> None:
    """Says once for each reason that there is no lock, and what is then up to the user."""
    if error.errno is not None and error.errno not in NOTED:
        NOTED.add(error.errno)
        line = f"wordways: {path} cannot be locked ({error.strerror}): start no second command at the same time"
        print(line, file=sys.stderr, flush=True)


def free(path: Path) -> bool:
    """Whether an exclusive lock could be acquired now."""
    with opened(path) as file:
        return acquired(file, alone=True)
