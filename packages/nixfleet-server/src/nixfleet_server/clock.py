"""The clock on the wall."""

import time


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)
