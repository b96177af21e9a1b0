"""Which logs are removed, and when. The run itself, its result and who started it stay."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

DAY_MS = 24 * 3600 * 1000


class Kept(NamedTuple):
    """The log of a run that has ended."""

    run_id: str
    host: str
    ended_at: int
    size: int


class Limits(NamedTuple):
    """What is kept at most; 0 is no limit. `host_bytes`: of one host, so that it can't push out the others' logs."""

    days: int = 0
    runs: int = 0
    bytes: int = 0
    host_bytes: int = 0


def surplus(newest_first: Iterable[Kept], limits: Limits, now: int) -> list[Kept]:
    """The logs beyond the limits: the oldest go."""
    runs: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    total = 0
    gone = []
    for log in newest_first:
        runs[log.host] += 1
        if (
            (limits.days and now - log.ended_at > limits.days * DAY_MS)
            or (limits.runs and runs[log.host] > limits.runs)
            or (limits.host_bytes and sizes[log.host] + log.size > limits.host_bytes)
            or (limits.bytes and total + log.size > limits.bytes)
        ):
            gone.append(log)
            continue
        sizes[log.host] += log.size
        total += log.size
    return gone
