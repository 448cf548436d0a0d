"""How a command ends that somebody stops: with one line and a status, not with a traceback."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(name: str, state: Callable[[], str] = lambda: "nothing is half-written") -> Iterator[None]:
    """Ctrl-C ends the command with status 130; files are written whole or not at all, so what stands there is.

    state: says what there is, once interrupted. A library that is interrupted may raise something else on its way
    out, as OmegaConf does while it clears up: whatever comes after Ctrl-C is Ctrl-C.
    """
    came = False

    def come(*_: object) -> None:
        nonlocal came
        came = True
        os.environ["HYDRA_FULL_ERROR"] = "1"  # else hydra would tell of that something else
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
