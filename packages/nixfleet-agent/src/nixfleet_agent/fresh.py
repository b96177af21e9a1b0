"""When the host's facts are gathered anew: now and then, and at once when another hand has changed the system."""

import os

from nixfleet_agent import kinds
from nixfleet_agent.config import Config

EVERY = 900.0
"""Seconds between two gatherings: each takes a process a good quarter of a second, 0.03 % of one core."""


class Fresh:
    """The resident's part of it: it reads two links and a clock. `now` is monotonic seconds."""

    def __init__(self, config: Config, now: float) -> None:
        self._root = config.files
        self._marks_at = kinds.marks(config.platform, os.environ, self._root)
        self._every = min(config.fetch_interval or EVERY, EVERY)
        self._marks = self._look()
        self.due_at = now + self._every
        """When to gather at the latest."""

    def gathered(self) -> None:
        """There are new facts: they are of the system as it is now."""
        self._marks = self._look()

    def wanted(self, now: float, *, busy: bool) -> bool:
        """Whether it is time. Not while a run is under way: its end brings new facts by itself."""
        if busy:
            return False
        if now < self.due_at and self._look() == self._marks:
            return False
        self.due_at = now + self._every
        self.gathered()
        return True

    def _look(self) -> tuple[str | None, ...]:
        return tuple(self._root.link(path) for path in self._marks_at)
