"""The processes of one command: the first runs it, the others compute their rows of every training batch.

torchrun, which `accelerate launch` calls, starts a command several times, and says in environment variables how many
processes there are and which one this is. The others wait for what the first one tells them, over gloo, where waiting
takes no processor time; they leave before anything is timed. To tell and to add change nothing where one is alone.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

STARTED = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}  # what a launcher says to each process
SIGNALLED = (130, 143)  # statuses of a command that Ctrl-C or SIGTERM has ended
PATIENCE = timedelta(days=14)  # with a first process that scores, or that waits while another command times


@dataclass
class Control:
    """group: carries what is told. idle: whether the others wait for a training."""

    group: Any = None
    idle: bool = True


control = Control()


class SharedError(RuntimeError):
    """What another process of this command failed with, or in the others, what any of them did."""


def size() -> int:
    """How many processes there are."""
    return 1 if control.group is None else dist.get_world_size()


def rank() -> int:
    """The number of this process, from 0."""
    return 0 if control.group is None else dist.get_rank()


def speaks_for_machine() -> bool:
    """Whether it is the first process on a machine where the first process of all is not."""
    return rank() > 0 and os.environ.get("LOCAL_RANK") == "0"


@contextmanager
def joined() -> Iterator[None]:
    """Inside, the processes that were started together know each other. At its end the first dismisses the others.

    The others end here: where they fail with one line, and without the second that Python takes to clear up, in which
    the first may begin to time.
    """
    if os.environ.keys() >= STARTED and os.environ["WORLD_SIZE"] != "1":
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        control.group = dist.new_group(backend="gloo", timeout=PATIENCE)
    first = rank() == 0
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as leaving:
        if not first:
            os._exit(130)
        if not isinstance(leaving, SystemExit) or leaving.code in SIGNALLED:
            control.idle = False  # the others have got the signal, too, and do not listen any more
        raise
    except Exception as error:
        if first:
            raise
        os._exit(ended(f"{type(error).__name__}: {error}"))
    finally:
        dismiss()
    if not first:
        os._exit(0)


def dismiss() -> None:
    """Lets the others leave where they wait for a training; from here on the first process is alone."""
    if size() > 1:
        if control.idle and rank() == 0:
            tell(None)
        control.group = None
        if control.idle:
            dist.destroy_process_group()


@contextmanager
def together(order: Any) -> Iterator[None]:
    """Inside, the others carry out an order, until they are told None."""
    control.idle = False
    tell(order)
    try:
        with agreed():
            pass  # they are ready
        yield
    except Exception:
        tell(None)
        control.idle = True
        raise
    tell(None)  # not after a signal, which may come while others wait for a sum
    control.idle = True


def tell(what: Any) -> None:
    """From the first process to all others."""
    if size() > 1:
        with connected():
            dist.broadcast_object_list([what], src=0, group=control.group)


def hear() -> Any:
    """What the first process tells next."""
    heard = [None]
    with connected():
        dist.broadcast_object_list(heard, src=0, group=control.group)
    return heard[0]


def add(part: Tensor) -> Tensor:
    """The sum of all processes' tensors, in place."""
    if size() > 1:
        with connected():
            dist.all_reduce(part)
    return part


def copy_from_first(tensor: Tensor) -> None:
    """Gives the tensor the values that it has in the first process."""
    if size() > 1:
        with connected():
            dist.broadcast(tensor, src=0)


@contextmanager
def agreed() -> Iterator[None]:
    """What fails here in one process fails in all of them, so that none waits for another that has gone elsewhere.

    Raises SharedError, but in the first process its own error where it has one.
    """
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    if size() > 1:
        failed = torch.tensor(int(failure is not None))
        reasons: list[Any] = [None] * size()
        with connected():
            dist.all_reduce(failed, group=control.group)
            if failed:
                dist.all_gather_object(reasons, failure and f"{type(failure).__name__}: {failure}", control.group)
        if failed and (rank() > 0 or failure is None):
            said = (f"process {number + 1} of {size()}: {why}" for number, why in enumerate(reasons) if why)
            raise SharedError(next(said)) from failure
    if failure is not None:
        raise failure


@contextmanager
def connected() -> Iterator[None]:
    """Ends this process where it can reach another one no more, at once, as no sum and no message will come."""
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[.*?\] *", "", str(error).splitlines()[0]).split(". ")[
            0
        ]  # without the place in gloo's code
        os._exit(ended(f"lost the connection to another process ({reason})"))


def ended(why: str) -> int:
    """Says in one line why this process ends; returns its status."""
    what = f"process {rank() + 1} of {size()}"
    print(f"wordways: {what}: {why}; the same command goes on from the last validation", file=sys.stderr, flush=True)
    return 1
