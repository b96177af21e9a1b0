"""How long to wait before connecting again: full jitter below an exponential ceiling, so that a fleet spreads out."""

from collections.abc import Callable

from nixfleet_protocol import limits


class Backoff:
    """`random` gives floats from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure: up to 1 after the first, up to 60 from the seventh on."""
        ceiling = min(limits.BACKOFF_MAX, limits.BACKOFF_MIN * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._random() * ceiling

    def between(self, least: float, most: float) -> float:
        """Seconds from a range the server gave, kept within 0 and BACKOFF_MAX."""
        least, most = max(0.0, least), min(max(least, most), limits.BACKOFF_MAX)
        return min(least, limits.BACKOFF_MAX) + self._random() * max(0.0, most - least)

    def reset(self) -> None:
        """The connection held: begin anew."""
        self._failures = 0
