"""Memory that torch frees stays with the process, because taking it back from the system costs a page fault per page.

Every training step allocates and frees the same large tensors. By default glibc returns them to the system and the next
step touches new pages, which takes a tenth of a step on the virtual machines that were measured.
"""

import ctypes
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from glibc's malloc.h
LARGE = 1 << 30


def keep_freed_memory() -> None:
    """Applies to this process from now on; does nothing where the C library is not glibc."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, LARGE)
        libc.mallopt(TRIM_THRESHOLD, LARGE)
