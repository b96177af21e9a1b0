"""How much of the time a host was there: two numbers for each day, however often it comes and goes."""

DAYS = 30
DAY_MS = 24 * 3600 * 1000

Days = dict[int, tuple[float, float]]
"""By day since the epoch: seconds it was there, of the seconds that we could tell."""


def day_of(at: int) -> int:
    """The day, in UTC, of a time in milliseconds."""
    return at // DAY_MS


def add(days: Days, day: int, seconds: float, *, there: bool) -> None:
    """Count so many seconds, and forget days that are too old to matter."""
    was, known = days.get(day, (0.0, 0.0))
    days[day] = (was + seconds * there, known + seconds)
    for old in [old for old in days if old <= day - DAYS]:
        del days[old]


def share(days: Days, today: int) -> float | None:
    """Percent of the last 30 days; None while nothing is known."""
    recent = [pair for day, pair in days.items() if day > today - DAYS]
    known = sum(known for _, known in recent)
    return round(100 * sum(was for was, _ in recent) / known, 3) if known > 0 else None
