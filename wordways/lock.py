"""Files that say \"mine\": one a device, so that timings run alone, and one a training, so that none is done twice."""

import getpass
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # no file locks on this system: timings are then only as alone as the user makes them
    fcntl = None

PATIENCE_S = 10.0
POLL_S = 0.05


@contextmanager
def file_lock(path: Path, *, alone: bool, why: str) -> Iterator[None]:
    """Holds a lock file, shared or alone. Waits as long as it takes; after ten seconds says why."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    began, said = time.monotonic(), False
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said and time.monotonic() - began > PATIENCE_S:
                    print(f"waiting: {why}", file=sys.stderr)
                    said = True
                time.sleep(POLL_S)
        yield  # closing the file releases the lock


def device_lock(device: str, *, alone: bool) -> AbstractContextManager[None]:
    """The device's one lock: training and scoring share it, timing has it alone, whatever process they run in."""
    path = Path(tempfile.gettempdir()) / f"wordways-{getpass.getuser()}-{device}.lock"
    return file_lock(path, alone=alone, why=f"another run uses {device}")
