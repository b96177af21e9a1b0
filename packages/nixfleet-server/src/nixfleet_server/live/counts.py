"""What is counted since the start, for `/metrics`."""

from collections import Counter
from dataclasses import dataclass, field

BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""Upper bounds of a run's duration in seconds: from a pull to a kernel."""


@dataclass(slots=True)
class Durations:
    """A histogram: how many took at most so long, and all of it together."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    count: int = 0
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        self.total += seconds
        for i, bound in enumerate(BUCKETS):
            self.counts[i] += seconds <= bound


@dataclass(slots=True)
class Counts:
    """Only ever rising."""

    lines: int = 0
    refused_records: int = 0
    broken_rules: int = 0
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Ended, by command and result."""
    durations: dict[str, Durations] = field(default_factory=dict)
    """Of runs that had begun, by command."""

    def run_ended(self, command: str, result: str, seconds: float | None) -> None:
        """A run has ended; `seconds` since it began, if it did."""
        self.runs[command, result] += 1
        if seconds is not None:
            self.durations.setdefault(command, Durations()).add(max(0.0, seconds))
