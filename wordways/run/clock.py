"""Duration of every forward pass, measured after warm-up with interleaved rows and workloads; peak memory of decoding.

Each yield of a decoder is one timestamp. On an accelerator timestamps are device events, synchronised once at the end.
"""

import gc
import itertools
import statistics
import time
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from paradigms.base import Canvas, Noise, Paradigm
from wordways.medians import outside

WINDOW, WINDOWS, STABLE = 3, 5, 0.1  # warm-up ends when the medians of successive windows differ by less than 10 %,
ENOUGH_NS = 2_000_000_000  # or after this time, because a workload that takes seconds is warm after its first run
ROUNDS = 6  # from so many rounds on, timing ends where every median is known precisely: the least n with an interval
PRECISION = 0.02  # half-width of a median's 95 % interval, relative to the median, at which it is known precisely


@dataclass(frozen=True)
class Workload:
    """What one timing decodes: `canvas` with `noise()` inside `context()`, which must reproduce `ids_BL`.

    items: numbers of the items in the test set.  settled: for every useful token of a text that is decoded alone, the
    forward pass, from 1, after which it no longer changes.  work: for every forward pass, (FLOP, bytes that it must
    move at least).  peak_bytes: as of `peak_bytes`; None where it was not measured.
    """

    name: Literal["natural", "forced"]
    items: Sequence[int]
    canvas: Canvas
    noise: Callable[[], Noise]
    ids_BL: Tensor
    settled: Sequence[int] = ()
    work: Sequence[tuple[int, int]] = ()
    context: Callable[[], AbstractContextManager[None]] = nullcontext
    peak_bytes: int | None = None

    @property
    def kind(self) -> tuple[str, int]:
        """Workload and batch size."""
        return self.name, len(self.ids_BL)


@dataclass
class Timed:
    """A row of a timing session: a paradigm, what it decodes, and its durations so far.

    repeats_ns: nanoseconds of every forward pass, indexed [workload][round][pass].  failure: the traceback of an
    exception, after which the row is left out.
    """

    paradigm: Paradigm
    loads: Sequence[Workload]
    repeats_ns: list[list[list[int]]] = field(default_factory=list)
    failure: str = ""

    @torch.inference_mode()
    def once(self, load: Workload) -> list[int]:
        """Durations of one run. Raises RuntimeError where the text differs from the traced one."""
        with load.context():
            durations, ids_BL = decode_timed(self.paradigm, load.canvas, load.noise())
        if not torch.equal(ids_BL, load.ids_BL):
            raise RuntimeError("the timed text differs from the traced one")
        return durations

    def prepare(self) -> None:
        """Forgets earlier durations, and warms up: a workload of every kind until it is stable, then all once."""
        self.repeats_ns = [[] for _ in self.loads]
        for load in {load.kind: load for load in self.loads}.values():
            warm_up(lambda load=load: sum(self.once(load)))
        for load in self.loads:
            self.once(load)

    def turn(self, backwards: bool) -> None:
        """Times all workloads once, after an untimed run that brings the row's weights back into the caches."""
        numbers = list(range(len(self.loads)))[:: -1 if backwards else 1]
        for number in numbers[:1]:
            self.once(self.loads[number])
        for number in numbers:
            self.repeats_ns[number].append(self.once(self.loads[number]))

    def precise(self) -> bool:
        """Whether the median duration of every kind of workload, summed over its texts, is known precisely."""
        totals: dict[tuple[str, int], list[list[int]]] = {}
        for load, rounds in zip(self.loads, self.repeats_ns, strict=True):
            totals.setdefault(load.kind, []).append([sum(durations) for durations in rounds])
        return all(
            known_precisely([sum(of_round) for of_round in zip(*of_kind, strict=True)]) for of_kind in totals.values()
        )


def time_together(rows: Sequence[Timed], rounds: int, advance: Callable[[int], None]) -> int:
    """Times rows side by side and returns the number of rounds; `advance` is called with 1 after every row's turn.

    Rounds run through rows and workloads forwards and backwards in turn (ABBA), so that drift affects all alike. They
    end early where every median is known precisely. A row that raises an exception is left out from there on.
    """
    for row in rows:
        with excluding(row):
            row.prepare()
    done = 0
    gc.disable()
    try:
        while done < rounds and not (done >= ROUNDS and all(row.precise() for row in rows if not row.failure)):
            gc.collect()
            for row in rows if done % 2 == 0 else reversed(rows):
                with excluding(row):
                    if not row.failure:
                        row.turn(backwards=done % 2 == 1)
                advance(1)
            done += 1
    finally:
        gc.enable()
    return done


@contextmanager
def excluding(row: Timed) -> Iterator[None]:
    """Notes an exception as the row's failure, so that the other rows go on."""
    try:
        yield
    except Exception:
        row.failure = traceback.format_exc()


def known_precisely(values: Sequence[float]) -> bool:
    """Whether the distribution-free 95 % interval of the median, between two order statistics, is narrow enough."""
    ordered, centre, below = sorted(values), statistics.median(values), outside(len(values))
    if below is None:
        return False
    return max(centre - ordered[below], ordered[-1 - below] - centre) <= PRECISION * centre


@torch.inference_mode()
def peak_bytes(paradigm: Paradigm, load: Workload) -> int:
    """Peak bytes in use while decoding, with weights, their packed copies and the canvas, in a separate untimed run."""
    device = load.canvas.ids_BL.device
    held = [*paradigm.parameters(), load.canvas.ids_BL, load.canvas.holes_BL, load.canvas.pad_BL]
    own = sum(tensor.nbytes for tensor in held) + paradigm.backbone.packed_bytes()
    with load.context():
        if device.type == "cuda":
            others = torch.cuda.memory_allocated(device) - own  # what other rows of the session keep there
            torch.cuda.reset_peak_memory_stats(device)
            decode_timed(paradigm, load.canvas, load.noise())
            return torch.cuda.max_memory_allocated(device) - others
        with LiveBytes(own) as meter:
            for tensor in held:
                meter.seen.add(tensor.untyped_storage())
            decode_timed(paradigm, load.canvas, load.noise())
    return meter.peak


def decode_timed(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> tuple[list[int], Tensor]:
    """Nanoseconds up to every yield, from the start of decoding or the yield before, and the final ids (B, L)."""
    device, ids_BL = canvas.ids_BL.device, canvas.ids_BL
    if device.type == "cuda":
        marks = [torch.cuda.Event(enable_timing=True)]
        torch.cuda.synchronize(device)
        marks[0].record()
        for ids_BL in paradigm.decode(canvas, noise):  # noqa: B007
            marks.append(torch.cuda.Event(enable_timing=True))
            marks[-1].record()
        torch.cuda.synchronize(device)
        return [round(a.elapsed_time(b) * 1e6) for a, b in itertools.pairwise(marks)], ids_BL
    stamps = [time.perf_counter_ns()]
    for ids_BL in paradigm.decode(canvas, noise):  # noqa: B007
        stamps.append(time.perf_counter_ns())
    return [after - before for before, after in itertools.pairwise(stamps)], ids_BL


def warm_up(run: Callable[[], float]) -> None:
    """Repeats `run`, which returns its own nanoseconds, until its time is stable."""
    taken: list[float] = []
    last = None
    while len(taken) < WINDOW * WINDOWS and sum(taken) < ENOUGH_NS:
        taken.append(run())
        if len(taken) % WINDOW == 0:
            median = statistics.median(taken[-WINDOW:])
            if last is not None and abs(median - last) < STABLE * last:
                return
            last = median


class LiveBytes(TorchDispatchMode):
    """Peak bytes of simultaneously live tensors on the CPU, which has no allocator statistics.

    Scratch memory inside operators is not counted.
    """

    def __init__(self, already: int):
        super().__init__()
        self.live = self.peak = already
        self.seen: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.count(leaf.untyped_storage())
        return result

    def count(self, storage: torch.UntypedStorage) -> None:
        if storage not in self.seen:
            self.seen.add(storage)
            size = storage.nbytes()
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self.release, size)

    def release(self, size: int) -> None:
        self.live -= size
