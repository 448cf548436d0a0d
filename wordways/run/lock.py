"""File locks: one per device, so that nothing else runs during timings, and one per training, so that it runs once."""

import getpass
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # without file locks on this system, it is up to the user that nothing else runs during timings
    fcntl = None

PATIENCE_S = 10.0
POLL_S = 0.05


@contextmanager
def device_lock(device: str, *, alone: bool) -> Iterator[Callable[[], None]]:
    """Holds the device's lock: training and scoring share it, timing holds it exclusively, across all processes.

    Yields a function that a long-running holder calls regularly: it releases the lock while another process waits for
    it. A waiting process holds a second lock, the gate, which all others must take first, so that none overtakes it.
    """
    folder, why = Path(tempfile.gettempdir()), f"another run is using the device {device}"
    gate, lock = (folder / f"wordways-{getpass.getuser()}-{device}.{name}" for name in ("gate", "lock"))
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


@contextmanager
def file_lock(path: Path, *, alone: bool, why: str) -> Iterator[None]:
    """Holds a lock file, exclusively or shared. Waits without a limit; after ten seconds prints `why`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    began, said = time.monotonic(), False
    with path.open("a") as file:
        while not acquired(file, alone=alone):
            if not said and time.monotonic() - began > PATIENCE_S:
                print(f"waiting: {why}", file=sys.stderr)
                said = True
            time.sleep(POLL_S)
        yield  # closing the file releases the lock


def acquired(file: IO[str], *, alone: bool) -> bool:
    """Tries to lock an open file without waiting. Always True on systems without file locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free(path: Path) -> bool:
    """Whether an exclusive lock could be acquired now."""
    with path.open("a") as file:
        return acquired(file, alone=True)
