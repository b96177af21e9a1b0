"""A made-up log of Nix in the proportions of a real one, with the truth about what it says.

A switch that fetched 633 paths and built 20 derivations wrote 1,026,344 lines; 98 of 100 told how many bytes of a
download or copy were done.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

PATHS = 633
BUILDS = 20
PLANNED = 129
"""Builds that Nix expects for a moment while it plans."""
PARALLEL = 25
MILLION = 1_026_344
PID = 20_811
_LINES_PER_BUILD = 150


@dataclass(slots=True)
class Truth:
    """What a correct parser ends with. Filled in while the records are made."""

    builds: int = BUILDS
    copies: int = PATHS
    downloaded: int = 0
    unpacked: int = 0
    said: list[bytes] = field(default_factory=list)
    """What the builders printed, as the log shows it."""


def records(seed: int, count: int, truth: Truth, pid: int = PID) -> Iterator[bytes]:
    """About `count` lines (at least 20,000), each with its line feed."""
    return Nix(seed, count, truth, pid).run()


class Nix:
    """Enough of a Nix to write a log."""

    def __init__(self, seed: int, count: int, truth: Truth, pid: int) -> None:
        self.random = random.Random(seed)
        self.steps = max(1, (count - 11 * PATHS - BUILDS * _LINES_PER_BUILD) // (2 * PATHS))
        self.truth = truth
        self.id = pid << 32

    def run(self) -> Iterator[bytes]:
        yield b"building the system configuration...\n"
        sizes = [
            (self.random.randrange(1, 9) * 1000, self.random.randrange(9, 99) * 1000) for _ in range(PATHS)
        ]
        self.truth.downloaded = sum(down for down, _ in sizes)
        self.truth.unpacked = sum(up for _, up in sizes)
        realise, builds, copies = (self._new() for _ in range(3))
        yield self._start(realise, 102)
        yield self._start(builds, 104)
        yield self._start(copies, 103)
        for expected in [*range(1, PLANNED + 1), *range(PLANNED, BUILDS - 1, -1)]:
            yield self._progress(builds, 0, expected, 0)
        yield self._progress(copies, 0, PATHS, 0)
        yield self._result(realise, 106, 101, self.truth.downloaded)
        yield self._result(realise, 106, 100, self.truth.unpacked)
        waiting = [self._copy(f"path-{number}", *size) for number, size in enumerate(sizes)]
        yield from self._parallel(waiting, PARALLEL, copies, PATHS)
        waiting = [self._build(f"thing-{number}") for number in range(BUILDS)]
        yield from self._parallel(waiting, 2, builds, BUILDS)
        yield self._result(realise, 106, 101, 0)
        for activity in (copies, builds, realise):
            yield self._record(action="stop", id=activity)

    def _parallel(self, waiting: list[Iterator[bytes]], width: int, over: int, total: int) -> Iterator[bytes]:
        live: list[Iterator[bytes]] = []
        done = 0
        while waiting or live:
            while waiting and len(live) < width:
                live.append(waiting.pop())
                yield self._progress(over, done, total, len(live))
            one = self.random.choice(live)
            line = next(one, None)
            if line is None:
                live.remove(one)
                done += 1
                yield self._progress(over, done, total, len(live))
            else:
                yield line

    def _copy(self, name: str, down: int, up: int) -> Iterator[bytes]:
        path, cache = f"/nix/store/{'a' * 32}-{name}", "https://cache.example"
        outer, copy, transfer = (self._new() for _ in range(3))
        yield self._start(outer, 108, path, cache)
        yield self._start(
            copy, 100, path, cache, "local", text=f"copying path '{path}' from '{cache}'", level=3
        )
        yield self._start(transfer, 101, f"{cache}/nar/{name}.nar.xz")
        for step in range(1, self.steps + 1):
            yield self._progress(transfer, down * step // self.steps, down, 0)
            yield self._progress(copy, up * step // self.steps, up, 0)
        for activity in (transfer, copy, outer):
            yield self._record(action="stop", id=activity)

    def _build(self, name: str) -> Iterator[bytes]:
        drv, activity = f"/nix/store/{'b' * 32}-{name}.drv", self._new()
        yield self._start(activity, 105, drv, "", 1, 1, text=f"building '{drv}'", level=3)
        for phase in ("unpackPhase", "buildPhase", "installPhase"):
            yield self._result(activity, 104, phase)
            for number in range(_LINES_PER_BUILD // 3 - 2):
                self.truth.said.append(f"{name}> {phase} {number}".encode())
                yield self._result(activity, 101, f"{phase} {number}")
        yield self._record(action="stop", id=activity)

    def _new(self) -> int:
        self.id += 1
        return self.id

    def _start(self, activity: int, kind: int, *fields: object, text: str = "", level: int = 0) -> bytes:
        more = {"fields": fields} if fields else {}
        return self._record(action="start", id=activity, level=level, parent=0, text=text, type=kind, **more)

    def _progress(self, activity: int, done: int, expected: int, running: int) -> bytes:
        # The format Nix writes, spelt out: this line is nearly the whole log.
        return b'@nix {"action":"result","fields":[%d,%d,%d,0],"id":%d,"type":105}\n' % (
            done,
            expected,
            running,
            activity,
        )

    def _result(self, activity: int, kind: int, *fields: object) -> bytes:
        return self._record(action="result", fields=fields, id=activity, type=kind)

    def _record(self, **content: object) -> bytes:
        return b"@nix " + json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n"
