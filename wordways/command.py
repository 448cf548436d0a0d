"""Handles Ctrl-C in the commands: an interrupted command ends with one line and a status instead of a traceback."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(name: str, state: Callable[[], str] = lambda: "no file is incomplete") -> Iterator[None]:
    """Ends the command with status 130 after Ctrl-C; all files are complete, because they are written atomically.

    state: describes the results so far, for the message. An interrupted library may raise another exception during
    its cleanup, as OmegaConf does; any exception after Ctrl-C therefore counts as the interruption.
    """
    came = False

    def come(*_: object) -> None:
        nonlocal came
        came = True
        os.environ["HYDRA_FULL_ERROR"] = "1"  # otherwise hydra would print that other exception
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    ours = before is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    try:
        if ours:
            signal.signal(signal.SIGINT, come)
        yield
    except BaseException as error:
        if not (came or isinstance(error, KeyboardInterrupt)):
            raise
        print(f"{name}: interrupted; {state()}", file=sys.stderr)
        sys.exit(130)
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
