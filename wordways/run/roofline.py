"""Peak arithmetic and memory throughput of the machine, measured beside the timings (roofline; Williams et al., 2009).

They bound the time that a paradigm's work needs, and so separate a slow implementation from a costly paradigm.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from paradigms.base import candidates

SIDES = {"cpu": 1024, "cuda": 8192}  # side of a matrix that is large for the device
COLUMNS = 2048
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
LARGEST_CACHE = 64 << 20  # bytes, assumed where the system reports no cache size
LARGEST_OPERAND = 512 << 20  # bytes; some virtual machines report the cache of their whole host
TRIES = 10


def machine_peaks(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """flops_per_s of a large matrix product; bytes_per_s, the best of a copy, a sum and a matrix-vector product.

    Products count with the fastest of all kernels that torch has, so that no choice of ours flatters what is measured
    against them. Rates are those of this moment, with torch's present number of threads. The operands of bytes_per_s
    are four times as large as the last-level cache, but not above 512 MiB: with a cache above 128 MiB, some of what is
    read may come from the cache, as do the weights of models that are smaller.
    """
    side = SIDES[device.type]
    square = torch.ones(side, side, device=device, dtype=dtype)
    size = torch.empty((), dtype=dtype).element_size()
    rows = max(1, min(4 * last_cache(device), LARGEST_OPERAND) // (COLUMNS * size))
    large = torch.zeros(rows, COLUMNS, device=device, dtype=dtype)
    row, target = torch.zeros(1, COLUMNS, device=device, dtype=dtype), torch.empty_like(large)
    seconds_a_byte = [
        fastest(large.sum, device) / large.nbytes,
        fastest(lambda: target.copy_(large), device) / (2 * large.nbytes),
        *(fastest(partial(kernel, row), device) / large.nbytes for kernel in candidates(large)),
    ]
    seconds = [fastest(partial(kernel, square), device) for kernel in candidates(square)]
    return {"flops_per_s": 2 * side**3 / min(seconds), "bytes_per_s": 1 / min(seconds_a_byte)}


def fastest(run: Callable[[], object], device: torch.device) -> float:
    """Least seconds over a few runs, after one run of warm-up."""
    taken = []
    for _ in range(TRIES + 1):
        begun = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - begun)
    return min(taken[1:])


def last_cache(device: torch.device) -> int:
    """Bytes of the last-level cache."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).L2_cache_size
    sizes = [path.read_text(encoding="utf-8").strip() for path in CACHES.glob("index*/size")]
    return max((int(size[:-1]) << 10 for size in sizes if size.endswith("K")), default=LARGEST_CACHE)
