"""Sums over Nix's activities, as Nix's own progress bar makes them."""

from dataclasses import dataclass, field

from nixfleet_agent.nix.internal_json import Activity
from nixfleet_protocol import limits

SUMMED = (Activity.COPY_PATH, Activity.FILE_TRANSFER, Activity.COPY_PATHS, Activity.BUILDS)
"""The activities whose numbers are shown."""


@dataclass(frozen=True, slots=True)
class Tally:
    """So many of so many: derivations, paths or bytes, each 0 to 2^53-1. Bytes have no `running` and `failed`."""

    done: int = 0
    expected: int = 0
    running: int = 0
    failed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Both together, for a run that called Nix several times."""
        return Tally(
            min(self.done + other.done, limits.SEQ_MAX),
            min(self.expected + other.expected, limits.SEQ_MAX),
            min(self.running + other.running, limits.SEQ_MAX),
            min(self.failed + other.failed, limits.SEQ_MAX),
        )


@dataclass(slots=True, eq=False)
class Live:
    """An activity that has started and not stopped."""

    process: "Process"
    type: int
    done: int = 0
    expected: int = 0
    running: int = 0
    failed: int = 0
    wanted: dict[int, int] = field(default_factory=dict)
    """What it expects of the activities of a type (setExpected)."""
    newest: bytes | None = None
    """The newest progress record, not decoded yet."""


@dataclass(slots=True, eq=False)
class Sum:
    """All activities of one type in one Nix process."""

    done: int = 0
    failed: int = 0
    wanted: int = 0
    floor: int = 0
    """`expected` doesn't fall below it. Nix itself forgets what it expected after a failure and at the end."""
    live: set[Live] = field(default_factory=set)

    def tally(self) -> Tally:
        """What Nix's bar would show, except for the floor."""
        done = self.done + sum(live.done for live in self.live)
        expected = self.done + sum(live.expected for live in self.live)
        return Tally(
            min(done, limits.SEQ_MAX),
            min(max(expected, self.wanted, self.floor), limits.SEQ_MAX),
            min(sum(live.running for live in self.live), limits.SEQ_MAX),
            min(self.failed + sum(live.failed for live in self.live), limits.SEQ_MAX),
        )


@dataclass(slots=True, eq=False)
class Process:
    """One Nix process. Its activities are summed on their own: another one's plan is none of its business."""

    sums: dict[int, Sum] = field(default_factory=lambda: {kind: Sum() for kind in SUMMED})
    realising: int = 0
    """Live realise activities."""
    planned: bool = False
    """Something has run since the last realise activity started, so what is expected can be believed."""

    def start(self, live: Live) -> None:
        """An activity began."""
        if live.type == Activity.REALISE:
            self.realising += 1
            self.planned = False
        elif (total := self.sums.get(live.type)) is not None:
            total.live.add(live)

    def progress(self, live: Live, done: int, expected: int, running: int, failed: int) -> None:
        """New absolute numbers of a live activity."""
        total = self.sums.get(live.type)
        if total is None:
            return
        counted = live.type in (Activity.BUILDS, Activity.COPY_PATHS)
        # What Nix expects collapses after a failure: all that needed the failed one is given up. Before anything
        # ran it is far too high, so it isn't worth keeping then.
        if counted and failed and not total.floor and self.planned:
            total.floor = total.tally().expected
        live.done, live.expected, live.running, live.failed = done, expected, running, failed
        if counted and running:
            self.planned = True

    def want(self, live: Live, kind: int, number: int) -> None:
        """A live activity expects `number` of this type, instead of what it said before."""
        total = self.sums.get(kind)
        if total is not None:
            total.wanted += number - live.wanted.get(kind, 0)
            live.wanted[kind] = number

    def stop(self, live: Live) -> None:
        """An activity ended: what it did stays, what it planned goes."""
        if live.type == Activity.REALISE:
            self.realising -= 1
            self.planned = True
            for kind in (
                Activity.COPY_PATH,
                Activity.FILE_TRANSFER,
            ):  # else a finished download shows 0 bytes
                self.sums[kind].floor = self.sums[kind].tally().expected
        elif (total := self.sums.get(live.type)) is not None:
            total.live.remove(live)
            total.done += live.done
            total.failed += live.failed
            self.planned |= live.type in (Activity.BUILDS, Activity.COPY_PATHS)
        for wanted_type, number in live.wanted.items():
            self.sums[wanted_type].wanted -= number
