"""Keeping the server small: a password's hash takes 19 MiB for a moment, which must not stay.

glibc learns from the first big block that is freed to keep the next ones in its heap, and a heap shrinks only at its end.
Told a fixed size it maps each such block by itself, and unmaps it. Linux with glibc only; elsewhere nothing happens.
"""

import contextlib
import sys

_M_MMAP_THRESHOLD = -3  # <malloc.h>
THRESHOLD = 1024 * 1024
"""Bytes from which on a block is mapped by itself."""


def give_big_blocks_back() -> bool:
    """Have big blocks returned to the system when they are freed. True if the allocator knows how."""
    if sys.platform != "linux":
        return False
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, THRESHOLD))
    return False
