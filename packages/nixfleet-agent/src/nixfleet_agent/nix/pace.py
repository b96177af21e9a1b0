"""How often a state is told."""

from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")

INTERVAL = 0.25
"""Seconds between two snapshots: a person sees no difference above four a second."""


class Pace(Generic[S]):
    """Lets a snapshot through at most every `interval` seconds, and never two equal ones in a row."""

    def __init__(self, clock: Callable[[], float], interval: float = INTERVAL) -> None:
        self._clock = clock
        self._interval = interval
        self._next = float("-inf")
        self._last: S | None = None
        self._owed = False

    def offer(self, make: Callable[[], S]) -> S | None:
        """After something changed: the snapshot to send, if it's time and it tells anything new."""
        self._owed = True
        return self.last(make) if self._clock() >= self._next else None

    def wait(self) -> float | None:
        """Seconds after which to offer again although nothing changed; None when all that changed was sent."""
        return max(0.0, self._next - self._clock()) if self._owed else None

    def last(self, make: Callable[[], S]) -> S | None:
        """At the end: the final state, unless it was sent already."""
        self._owed = False
        snapshot = make()
        if snapshot == self._last:
            return None
        self._last = snapshot
        self._next = self._clock() + self._interval
        return snapshot
