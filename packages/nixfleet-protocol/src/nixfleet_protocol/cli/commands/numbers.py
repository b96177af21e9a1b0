"""Numbers on the command line, checked before anything is sent."""

from argparse import ArgumentTypeError

from nixfleet_protocol.limits import TIMEOUT_MAX


def whole(text: str) -> int:
    """A whole number from 1 to 100,000. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:7]) <= 100_000):
        raise ArgumentTypeError("expected a whole number from 1 to 100000")
    return int(text)


def seconds(text: str) -> float:
    """Seconds above 0, at most 7 days. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= TIMEOUT_MAX:
        raise ArgumentTypeError(f"expected seconds, above 0 and at most {TIMEOUT_MAX:.0f}")
    return value
