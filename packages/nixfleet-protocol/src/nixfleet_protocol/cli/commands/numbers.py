"""Numbers on the command line, checked before anything is sent."""

from argparse import ArgumentTypeError

from nixfleet_protocol.limits import TIMEOUT_MAX


def whole(text: str) -> int:
    """A whole number from 1 to 100,000. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:7]) <= 100_000):
        raise ArgumentTypeError("expected a whole number from 1 to 100000")
    return int(text)


def duration(text: str) -> int:
    """Seconds of a duration as `90`, `15m`, `2h` or `30d`. Raises ArgumentTypeError."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise ArgumentTypeError("expected a duration as 90s, 15m, 2h or 30d")
    return int(number) * units[unit]


def seconds(text: str) -> float:
    """Seconds above 0, at most 7 days. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= TIMEOUT_MAX:
        raise ArgumentTypeError(f"expected seconds, above 0 and at most {TIMEOUT_MAX:.0f}")
    return value
