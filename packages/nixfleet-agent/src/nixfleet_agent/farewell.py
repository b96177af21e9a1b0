"""What a server's goodbye means: for how long to stay away, and what the operator is told."""

from nixfleet_protocol.messages import Goodbye

UNWANTED = {
    "replaced": "another agent connected with this host's token: are two running?",
    "revoked": "the server revoked this host's token",
    "removed": "this host was removed from the server",
}
"""Reasons for which the server doesn't want this agent, in words."""
UNWANTED_WAIT = (30.0, 60.0)
"""Seconds to stay away then."""


def wait(goodbye: Goodbye) -> tuple[float, float]:
    """Seconds to stay away, at least and at most."""
    return UNWANTED_WAIT if goodbye.reason in UNWANTED else (goodbye.retry_min, goodbye.retry_max)


def back_by(goodbye: Goodbye, now: float) -> float | None:
    """When the server will be there again, at the latest; None when it only does not want this agent."""
    return None if goodbye.reason in UNWANTED else now + goodbye.retry_max


def words(goodbye: Goodbye) -> tuple[str, str]:
    """Level and text for the log."""
    meaning = UNWANTED.get(goodbye.reason)
    return ("error", meaning) if meaning else ("info", "the server says goodbye")
