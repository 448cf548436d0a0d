"""How a command ends that somebody stops: with one line and a status, not with a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(name: str) -> Iterator[None]:
    """Ctrl-C ends the command with status 130; files are written whole or not at all, so what stands there is."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing is half-written", file=sys.stderr)
        sys.exit(130)
