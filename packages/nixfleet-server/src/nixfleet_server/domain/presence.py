"""Whether a host is there. Nothing stores the answer: it follows from when it was last heard."""

STALE_AFTER = 2.0
OFFLINE_AFTER = 3.0
"""Silence, in heartbeat intervals."""


def presence(*, seen: bool, connected: bool, silent: float, interval: float, busy: bool) -> str:
    """The host's presence, a word of `fields.Presence`.

    `seen`: it ever connected. `silent`: seconds since its last message. `interval`: seconds between its heartbeats.
    `busy`: a run is under way there.
    """
    if not seen:
        return "new"
    if not connected:
        return "unreachable" if busy else "offline"
    if silent <= STALE_AFTER * interval:
        return "online"
    return "stale" if silent <= OFFLINE_AFTER * interval else "offline"
