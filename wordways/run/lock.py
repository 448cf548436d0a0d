"""Files that say \"mine\": one a device, so that timings run alone, and one a training, so that none is done twice."""

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
except ImportError:  # no file locks on this system: timings are then only as alone as the user makes them
    fcntl = None

PATIENCE_S = 10.0
POLL_S = 0.05


@contextmanager
def file_lock(path: Path, *, alone: bool, why: str) -> Iterator[None]:
    """Holds a lock file, shared or alone. Waits as long as it takes; after ten seconds says why."""
    path.parent.mkdir(parents=True, exist_ok=True)
    began, said = time.monotonic(), False
    with path.open("a") as file:
        while not had(file, alone=alone):
            if not said and time.monotonic() - began > PATIENCE_S:
                print(f"waiting: {why}", file=sys.stderr)
                said = True
            time.sleep(POLL_S)
        yield  # closing the file releases the lock


def had(file: IO[str], *, alone: bool) -> bool:
    """Takes the lock on an open file, if it is to be had now. Always, where there are no such locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free(path: Path) -> bool:
    """Could a lock be had now?"""
    with path.open("a") as file:
        return had(file, alone=True)


@contextmanager
def device_lock(device: str, *, alone: bool) -> Iterator[Callable[[], None]]:
    """The device's one lock: training and scoring share it, timing has it alone, whatever process they run in.

    Yields what a long holder calls now and then: it lets go of the lock while somebody else wants it. Who waits for
    the lock stands in a gate through which all others must come.
    """
    folder, why = Path(tempfile.gettempdir()), f"another run uses {device}"
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
