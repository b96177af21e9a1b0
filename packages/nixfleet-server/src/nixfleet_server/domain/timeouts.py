"""How long a command may take: when it counts as slow, and when it is told to stop."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from nixfleet_protocol import limits
from nixfleet_protocol.messages import RunView
from nixfleet_protocol.states import COMMANDS


class Limits(NamedTuple):
    """Seconds from a run's beginning; 0 means never."""

    warn: float
    hard: float


DEFAULTS: dict[str, Limits] = {
    "pull": Limits(120, 900),
    "fetch": Limits(120, 900),
    "switch": Limits(600, 4 * 3600),
    "pull-switch": Limits(720, 4 * 3600),
    "check": Limits(600, 2 * 3600),
    "test": Limits(300, 3600),
    "update": Limits(600, 3600),
    "rollback": Limits(300, 1800),
    "reboot": Limits(300, 1800),
}
"""Slow is what makes a person look up. The hard limit only has to end what will never end by itself: a kernel built on a
small board takes hours, and to stop that would be the worse mistake."""

STOP_AGAIN_FIRST, STOP_AGAIN_MOST = 60.0, 3600.0
"""Seconds after which a run that goes on all the same is told to stop once more; doubled each time."""
DEFAULT_TEXT = ",".join(f"{name}={warn:g}/{hard:g}" for name, (warn, hard) in DEFAULTS.items())

_ENTRY = re.compile(r"([a-z-]+)=([0-9]+)/([0-9]+)")


def parse(text: str) -> dict[str, Limits]:
    """Read `switch=600/14400,test=300/0`: seconds until slow and until stopped, over the defaults. Raises ValueError."""
    table = dict(DEFAULTS)
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _ENTRY.fullmatch(part)
        if found is None or found[1] not in COMMANDS:
            raise ValueError(f"expected COMMAND=WARN/HARD in seconds, as switch=600/14400; got {part[:80]!r}")
        warn, hard = int(found[2]), int(found[3])
        if max(warn, hard) > limits.TIMEOUT_MAX:
            raise ValueError(f"{found[1]}: at most {limits.TIMEOUT_MAX:g} seconds")
        table[found[1]] = Limits(warn, hard)
    return table


def at_begin(table: Mapping[str, Limits], run: RunView, now: int) -> tuple[int | None, int | None]:
    """When a run that begins `now` counts as slow and when its time is over, in milliseconds; None: never.

    A time-out that came with the run itself is kept by its host, also while it is cut off from us.
    """
    warn, hard = table.get(run.command, Limits(0, 0))
    if run.options.timeout is not None:
        hard, warn = run.options.timeout, min(warn, run.options.timeout)
    return _after(now, warn), _after(now, hard)


def longer(run: RunView, seconds: float, now: int) -> tuple[int | None, int | None]:
    """The same after the operator chose to wait: slow again in so many seconds, and over by as much later."""
    more = int(seconds * 1000)
    return now + more, None if run.timeout_at is None else max(run.timeout_at, now) + more


def _after(now: int, seconds: float) -> int | None:
    return now + int(seconds * 1000) if seconds > 0 else None
