"""Limits of a run's time and memory: it then runs in a process of its own, whose end is its own failure alone."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

POLL_S = 0.1
STATM = "/proc/{}/statm"
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


@dataclass(frozen=True)
class Limits:
    """Of training and scoring of one run. bytes: of memory that its process occupies, without an accelerator's.

    Raises ValueError where a number is out of range or the system does not tell how much memory a process occupies.
    """

    seconds: float | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("seconds", self.seconds), ("bytes", self.bytes)):
            if value is not None and value <= 0:
                raise ValueError(f"{name}={value}: must be above 0")
        if self.bytes is not None and occupied(os.getpid()) is None:
            raise ValueError(f"bytes={self.bytes}: this system does not tell how much memory a process occupies")

    @property
    def any(self) -> bool:
        return self.seconds is not None or self.bytes is not None


def run_apart(work: Callable[[Any], None], given: Any, limits: Limits) -> str:
    """Runs `work` in a process of its own; returns why it was stopped or ended early, empty where it came to its end.

    Processes are forked from a server that has loaded this program, where the system has such servers.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([work.__module__])
    else:
        context = multiprocessing.get_context("spawn")
    process = context.Process(target=beside_its_parent, args=(work, given))
    with start_method(context.get_start_method()):
        process.start()
    try:
        return watched(process, limits)
    finally:
        process.kill()
        process.join()


@contextmanager
def start_method(name: str) -> Iterator[None]:
    """Within this context new processes are told of a way to start others that they know; joblib's they do not know."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(name, force=True)
    try:
        yield
    finally:
        multiprocessing.set_start_method(before, force=True)


def watched(process: BaseProcess, limits: Limits) -> str:
    began = time.monotonic()
    while process.is_alive():
        process.join(POLL_S)
        if limits.seconds is not None and time.monotonic() - began > limits.seconds:
            return f"limits.seconds={limits.seconds:g}: exceeded; a training goes on from its last checkpoint"
        if limits.bytes is not None and (occupied(process.pid or 0) or 0) > limits.bytes:
            return f"limits.bytes={limits.bytes}: exceeded"
    if process.exitcode == 0:
        return ""
    if (process.exitcode or 0) < 0:
        return f"its process was ended by signal {-(process.exitcode or 0)}, as happens where memory runs out"
    return f"its process ended with status {process.exitcode}"


def occupied(pid: int) -> int | None:
    """The bytes of memory that a process occupies now; None where the system does not tell."""
    try:
        return int(Path(STATM.format(pid)).read_text(encoding="ascii").split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return None


def beside_its_parent(work: Callable[[Any], None], given: Any) -> None:
    """Runs `work`, and ends with the parent, so that no killed run leaves its cell to an orphan."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
    work(given)
