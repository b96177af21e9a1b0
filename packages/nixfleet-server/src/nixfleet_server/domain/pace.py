"""How much a peer may do: so much a second, and a burst at once."""


class Pace:
    """A bucket that fills with time. `now` is any clock that never goes back, in seconds."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = now

    def takes(self, count: int, now: float) -> bool:
        """Whether so many more are within the pace; they count if so."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if count > self._left:
            return False
        self._left -= count
        return True
