"""Do two agents take turns with one token? Each that connects replaces the other, for ever.

A host whose network broke also replaces its old connection, but a silent one: a live connection is heard at each ping.
"""

from nixfleet_protocol import limits

TURNS = 3
WINDOW = 600.0
"""Replacements of a live connection within so many seconds."""
ALIVE = limits.PING_INTERVAL + 5.0
"""Seconds of silence after which the replaced connection may have been dead."""


def replaced(times: tuple[float, ...], silent: float, now: float) -> tuple[float, ...]:
    """Count that a connection last heard `silent` seconds ago was replaced. `now` by a clock that never goes back."""
    recent = tuple(at for at in times if at > now - WINDOW)[-TURNS:]
    return (*recent, now) if silent <= ALIVE else recent


def flapping(times: tuple[float, ...], now: float) -> bool:
    """Whether it happened too often lately."""
    return sum(at > now - WINDOW for at in times) >= TURNS
