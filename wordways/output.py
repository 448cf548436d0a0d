"""Output whose reader may leave early, as `head` does: the rest is dropped, and the work goes on to its end."""

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO


class Unread(io.FileIO):
    """A file whose writes succeed after its reader has left."""

    def write(self, data, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


@contextmanager
def lasting_output() -> Iterator[None]:
    """Keeps standard output and error usable as pipes; does nothing where something else stands for them."""
    with ExitStack() as kept:
        for stream, usual, redirect in (
            (sys.stdout, sys.__stdout__, redirect_stdout),
            (sys.stderr, sys.__stderr__, redirect_stderr),
        ):
            if stream is usual and isinstance(stream, io.TextIOWrapper):
                stream.flush()
                lasting = lasting_stream(stream)
                kept.enter_context(redirect(lasting))
                kept.callback(lasting.flush)
        yield


def lasting_stream(stream: io.TextIOWrapper) -> TextIO:
    file = io.BufferedWriter(Unread(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(file, encoding=stream.encoding, errors=stream.errors, line_buffering=stream.line_buffering)
