"""Duration of every forward pass and peak memory of decoding, measured after warm-up with interleaved workloads.

Each yield of a decoder is one timestamp. On an accelerator timestamps are device events, synchronised once at the end.
"""

import gc
import itertools
import statistics
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from paradigms.base import Canvas, Noise, Paradigm

WINDOW, WINDOWS, STABLE = 3, 5, 0.1  # warm-up ends when the medians of successive windows differ by less than 10 %,
ENOUGH_NS = 2_000_000_000  # or after this time, because a workload that takes seconds is warm after its first run


@dataclass(frozen=True)
class Workload:
    """What one timing decodes: `canvas` with `noise()`, which must reproduce `ids_BL`.

    work: for every forward pass, (FLOP, bytes that it must move at least).
    """

    name: Literal["natural", "forced"]
    first: int
    canvas: Canvas
    noise: Callable[[], Noise]
    ids_BL: Tensor
    work: Sequence[tuple[int, int]] = ()


@torch.inference_mode()
def time_all(
    paradigm: Paradigm, workloads: Sequence[Workload], repeats: int, advance: Callable[[], None]
) -> list[list[list[int]]]:
    """Nanoseconds of every forward pass, indexed [workload][repeat][pass].

    Repeats run through the list forwards and backwards in turn (ABBA), so that drift affects all workloads equally.
    Raises RuntimeError where a timed text differs from the traced one.
    """

    def once(load: Workload) -> list[int]:
        durations, ids_BL = decode_timed(paradigm, load.canvas, load.noise())
        if not torch.equal(ids_BL, load.ids_BL):
            raise RuntimeError("the timed text differs from the traced one")
        advance()
        return durations

    for load in workloads:
        warm_up(lambda load=load: sum(once(load)))
    kept: list[list[list[int]]] = [[] for _ in workloads]
    gc.collect()
    gc.disable()
    try:
        for repeat in range(repeats):
            order = range(len(workloads)) if repeat % 2 == 0 else reversed(range(len(workloads)))
            for number in order:
                kept[number].append(once(workloads[number]))
    finally:
        gc.enable()
    return kept


@torch.inference_mode()
def peak_bytes(paradigm: Paradigm, load: Workload) -> int:
    """Peak bytes in use while decoding, weights and canvas included, measured in a separate untimed run."""
    device = load.canvas.ids_BL.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        decode_timed(paradigm, load.canvas, load.noise())
        return torch.cuda.max_memory_allocated(device)
    held = [*paradigm.parameters(), load.canvas.ids_BL, load.canvas.holes_BL, load.canvas.pad_BL]
    with LiveBytes(sum(tensor.nbytes for tensor in held)) as meter:
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
