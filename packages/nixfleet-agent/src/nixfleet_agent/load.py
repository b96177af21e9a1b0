"""Load of a Linux host from /proc, as proc(5) describes it: what psutil would say, without its 1.6 MB in the resident."""

from typing import NamedTuple

_COUNTED = 8
"""Fields of `cpu`: user nice system idle iowait irq softirq steal. What follows is counted in the first two already."""


class Times(NamedTuple):
    """Processor time of all cores since boot, in ticks."""

    busy: int
    total: int


def times(stat: str) -> Times:
    """From /proc/stat. Waiting for a disk is idleness. Raises ValueError for what isn't one."""
    name, *fields = stat.partition("\n")[0].split()
    if name != "cpu" or len(fields) < 4:
        raise ValueError("not /proc/stat")
    ticks = [int(field) for field in fields[:_COUNTED]]
    idle = ticks[3] + (ticks[4] if len(ticks) > 4 else 0)
    return Times(sum(ticks) - idle, sum(ticks))


def busy_share(before: Times, now: Times) -> float | None:
    """Percent of the time between that was spent busy; None when none has passed."""
    passed = now.total - before.total
    if passed <= 0:
        return None
    return round(min(100.0, max(0.0, 100 * (now.busy - before.busy) / passed)), 1)


def memory(meminfo: str) -> tuple[float | None, float]:
    """Percent of memory and of swap in use, from /proc/meminfo; None before Linux 3.14, which doesn't tell."""
    sizes = {}
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        number = value.split()[:1]
        if number and number[0].isdigit():
            sizes[name] = int(number[0])
    return (
        _used(sizes.get("MemTotal", 0), sizes["MemAvailable"]) if "MemAvailable" in sizes else None,
        _used(sizes.get("SwapTotal", 0), sizes.get("SwapFree", 0)) or 0.0,
    )


def _used(total: int, free: int) -> float | None:
    return round(100 * max(0, total - free) / total, 1) if total else None
