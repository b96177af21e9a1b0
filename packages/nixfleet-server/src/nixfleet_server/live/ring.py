"""The newest records of a run that is under way, ready to be sent: what followers read who keep up."""

import sys
from collections import deque
from itertools import islice

RING_BYTES = 128 * 1024
"""Memory a ring may take. Followers further behind read the log file."""


class Ring:
    """Texts of consecutive records. `first` is the number of the oldest that is still here."""

    __slots__ = ("_bytes", "_texts", "first")

    def __init__(self, first: int) -> None:
        self.first = first
        self._texts: deque[str] = deque()
        self._bytes = 0

    def push(self, text: str) -> None:
        """Add the next record; the oldest make room."""
        self._texts.append(text)
        self._bytes += sys.getsizeof(text)
        while self._bytes > RING_BYTES and len(self._texts) > 1:
            self._bytes -= sys.getsizeof(self._texts.popleft())
            self.first += 1

    def since(self, seq: int, count: int) -> list[str] | None:
        """At most `count` records from `seq` on; None when `seq` is no longer here."""
        if seq < self.first:
            return None
        start = seq - self.first
        return list(islice(self._texts, start, start + count))
