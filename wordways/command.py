"""What all commands share: they print on any terminal, and end in one line after Ctrl-C, SIGTERM or on a full disk."""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from wordways.files import FullDiskError, is_full
from wordways.output import lasting_output

ENDED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
USUAL = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
HYDRA = "HYDRA_FULL_ERROR"  # makes hydra pass errors on, instead of printing them


def print_anywhere() -> None:
    """Lets standard output replace signs that its encoding lacks by question marks; standard error escapes them."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


@contextmanager
def interruptible(name: str, state: Callable[[], str] = lambda: "no file is incomplete") -> Iterator[None]:
    """Ends the command with one line and a status: 130 after Ctrl-C, 143 after SIGTERM, 1 where a disk is full.

    All files are complete then, because they are written atomically.
    state: describes the results so far, for the message. An interrupted library may raise another exception during
    its cleanup, as OmegaConf does; any exception after a signal therefore counts as the interruption.
    """
    came: list[int] = []

    def come(number: int, _: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    ours = [number for number, usual in USUAL.items() if main and signal.getsignal(number) == usual]
    hydra = os.environ.get(HYDRA)
    try:
        os.environ[HYDRA] = "1"
        for number in ours:
            signal.signal(number, come)
        with lasting_output():
            yield
    except BaseException as error:
        if came or isinstance(error, KeyboardInterrupt):
            number = signal.Signals(came[0]) if came else signal.SIGINT
            print(f"{name}: {ENDED[number]}; {state()}", file=sys.stderr)
            sys.exit(128 + number)
        if isinstance(error, FullDiskError) or is_full(error):
            print(f"{name}: {error}; {state()}", file=sys.stderr)
            sys.exit(1)
        raise
    finally:
        for number in ours:
            signal.signal(number, USUAL[number])
        if hydra is None:
            del os.environ[HYDRA]
        else:
            os.environ[HYDRA] = hydra
