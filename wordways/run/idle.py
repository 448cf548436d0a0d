"""Whether a machine is idle: the processor time that all programs take while this one sleeps."""

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
SECONDS = 0.5
BUSY = 0.1  # cores used by other programs from which a machine is not idle


def busy_cores() -> float | None:
    """Cores that other programs use, the time that a hypervisor takes included; None where the system does not tell."""
    before, began = busy_ticks(), time.monotonic()
    time.sleep(SECONDS)
    after, seconds = busy_ticks(), time.monotonic() - began
    if before is None or after is None:
        return None
    return max(0, after - before) / os.sysconf("SC_CLK_TCK") / seconds


def busy_ticks() -> int | None:
    """Clock ticks, summed over cores since the start of the system, in which a core was neither idle nor waiting."""
    try:
        name, *ticks = STAT.read_text(encoding="utf-8").split("\n", 1)[0].split()
        user, nice, system, idle, _waiting, *rest = map(int, ticks[:8])  # guests' time is part of the user's
    except (OSError, ValueError):
        return None
    busy = user + nice + system + sum(rest)
    return busy if name == "cpu" and busy + idle else None
