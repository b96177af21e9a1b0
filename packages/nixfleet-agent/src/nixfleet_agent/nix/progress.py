"""How far Nix is, from the records of its log: builds and copies X/Y, bytes, what it builds now, what failed and why."""

from collections import deque
from dataclasses import dataclass, field

from nixfleet_agent.nix.internal_json import ERROR, PREFIX, Activity, Record, Result, decode
from nixfleet_agent.nix.tally import Live, Process, Tally
from nixfleet_agent.nix.text import plain, short, store_name

TAIL_LINES = 20
"""Last lines of its log that are kept of a failed derivation."""
FAILURES_MAX = 16
"""Failed derivations that are kept with their logs; the rest is only counted."""
NAME_MAX, LINE_MAX, ERROR_MAX = 256, 512, 1024
"""Characters of a name or phase, of a log line, of an error."""
_NOTHING = Tally()
_LIVE_MAX = 65536
_PROCESSES_MAX = 256
_ENDED_MAX = 64
_TYPES = frozenset(Activity)
_END = b'"type":105}'
_COPIED = (Activity.COPY_PATH, Activity.FILE_TRANSFER)
_NAMED_COPIES = (Activity.COPY_PATH, Activity.SUBSTITUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A derivation that didn't build: its own failure, not that of something it needs."""

    name: str
    derivation: str
    """Store path, for `nix log`."""
    reason: str
    log: tuple[str, ...]
    """The last lines its builder printed, at most TAIL_LINES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of all Nix processes of a run. Nothing in it has terminal escapes, and no number exceeds 2^53-1."""

    planning: bool = True
    """What is expected is still a guess: show no percentage."""
    builds: Tally = _NOTHING
    copies: Tally = _NOTHING
    downloaded: Tally = _NOTHING
    """Bytes as they come over the network, compressed."""
    unpacked: Tally = _NOTHING
    """Bytes as they are added to the store."""
    current: str = ""
    """Name of the derivation that was last heard of, else of a path that is being copied."""
    phase: str = ""
    """Of `current`, as `buildPhase`."""
    failures: tuple[Failure, ...] = ()
    error: str = ""
    """The first error of the newest process, without the trace that led there."""


@dataclass(slots=True, eq=False)
class _Build:
    derivation: str
    name: str
    phase: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))


class Progress:
    """Takes records, in the order Nix wrote them, and tells how far it is whenever asked."""

    def __init__(self, prefix: bytes = PREFIX) -> None:
        self._prefix = prefix
        self._result = prefix + b'{"action":"result"'
        self._processes: dict[int, Process] = {}
        self._live: dict[int, Live] = {}
        self._copying: dict[bytes, Live] = {}
        self._builds: dict[int, _Build] = {}  # the one last heard of is last, as in Nix's bar
        self._copies: dict[int, str] = {}
        self._ended: deque[_Build] = deque(maxlen=_ENDED_MAX)
        self._failures: dict[str, Failure] = {}
        self._error = ""
        self._over = False

    def skip(self, line: bytes) -> bool:
        """Whether this line only says how many bytes of a copy or download are done: 98 of 100 lines do.

        Such a line needs no decoding now. The newest of each activity is kept and decoded when somebody asks, which
        loses nothing, since its numbers are absolute.
        """
        if not (line.endswith(_END) and line.startswith(self._result)):
            return False
        live = self._copying.get(line[line.rfind(b'"id":') + 5 : -len(_END) - 1])
        if live is None:
            return False
        live.newest = line
        return True

    def add(self, record: Record) -> None:
        """Take one record."""
        if record.action == "msg":
            self._message(record)
        elif record.id is not None:
            if record.action == "start":
                self._start(record, record.id)
            elif record.action == "result":
                self._note(record, record.id)
            elif record.action == "stop":
                self._stop(record.id)

    def end(self) -> None:
        """No more records: nothing is being planned, built or copied now, whatever Nix last said."""
        self._over = True

    def snapshot(self) -> Snapshot:
        """The state now. Costs as much as decoding one line for each copy under way: don't ask for every record."""
        for live in self._copying.values():
            self._settle(live)
        build = None if self._over else next(reversed(self._builds.values()), None)
        copy = "" if self._over else next(reversed(self._copies.values()), "")
        return Snapshot(
            planning=self._planning(),
            builds=self._tally(Activity.BUILDS),
            copies=self._tally(Activity.COPY_PATHS),
            downloaded=self._tally(Activity.FILE_TRANSFER),
            unpacked=self._tally(Activity.COPY_PATH),
            current=build.name if build else copy,
            phase=build.phase if build else "",
            failures=tuple(self._failures.values()),
            error=self._error,
        )

    def _planning(self) -> bool:
        processes = self._processes.values()
        unplanned = any(process.realising and not process.planned for process in processes)
        return not self._over and (unplanned or not any(process.planned for process in processes))

    def _tally(self, kind: int) -> Tally:
        total = _NOTHING
        for process in self._processes.values():
            total += process.sums[kind].tally()
        return Tally(total.done, total.expected, 0, total.failed) if self._over else total

    def _process(self, identity: int) -> Process:
        key = identity >> 32  # the upper half of an id is the pid of its Nix process
        process = self._processes.get(key)
        if process is None:
            if len(self._processes) >= _PROCESSES_MAX:
                return next(reversed(self._processes.values()))
            self._error = ""
            process = self._processes[key] = Process()
        return process

    def _start(self, record: Record, identity: int) -> None:
        self._stop(identity)  # an id that is used again, which no Nix does
        process = self._process(identity)
        if record.type not in _TYPES or len(self._live) >= _LIVE_MAX:
            return
        live = self._live[identity] = Live(process, record.type)
        process.start(live)
        if record.type in _COPIED:
            self._copying[b"%d" % identity] = live
        if record.type in _NAMED_COPIES:
            self._copies[identity] = _name(store_name(record.text(0)))
        elif record.type == Activity.BUILD:
            path = plain(record.text(0))
            self._builds[identity] = _Build(short(path, LINE_MAX), _name(store_name(path)))

    def _note(self, record: Record, identity: int) -> None:
        live = self._live.get(identity)
        if live is None:
            return
        if record.type == Result.PROGRESS:
            live.newest = None
            live.process.progress(live, *(record.count(index) for index in range(4)))
        elif record.type == Result.SET_EXPECTED:
            live.process.want(live, record.count(0), record.count(1))
        elif (build := self._builds.pop(identity, None)) is not None:
            self._builds[identity] = build
            if record.type == Result.BUILD_LOG_LINE:
                build.tail.append(short(plain(record.text(0)), LINE_MAX))
            elif record.type == Result.SET_PHASE:
                build.phase = _name(record.text(0))

    def _stop(self, identity: int) -> None:
        live = self._live.pop(identity, None)
        if live is None:
            return
        self._settle(live)
        live.process.stop(live)
        self._copying.pop(b"%d" % identity, None)
        self._copies.pop(identity, None)
        build = self._builds.pop(identity, None)
        if build is not None:
            self._ended.append(build)

    def _settle(self, live: Live) -> None:
        line, live.newest = live.newest, None
        record = decode(line, self._prefix) if line is not None else None
        if record is not None:
            live.process.progress(live, *(record.count(index) for index in range(4)))

    def _message(self, record: Record) -> None:
        if record.level != ERROR:
            return
        text = plain(record.words)
        if not self._error and not text.startswith("error (ignored)"):
            self._error = short(cause(text), ERROR_MAX)
        # Nix's words for it change; that it names a derivation which it was building just now doesn't.
        suspects = list(self._builds.values())
        if self._tally(Activity.BUILDS).failed > len(self._failures):
            suspects += self._ended
        for build in suspects:
            if build.derivation and build.derivation in text and len(self._failures) < FAILURES_MAX:
                reason = short(cause(text), ERROR_MAX)
                failure = Failure(
                    name=build.name, derivation=build.derivation, reason=reason, log=tuple(build.tail)
                )
                self._failures.setdefault(build.derivation, failure)


def cause(text: str) -> str:
    """What went wrong, of an error's whole text: what follows its last `error:`, which comes after the trace."""
    lines = text.strip().split("\n")
    for start in range(len(lines) - 1, -1, -1):
        head, found, rest = lines[start].partition("error:")
        if found and not head.strip() and rest.strip():
            return "\n".join([rest.strip(), *lines[start + 1 :]])
    return text.strip()


def _name(text: str) -> str:
    return short(plain(text).replace("\n", " "), NAME_MAX)
