"""How far the server has been told about each run: what to send next, and in which order."""

from dataclasses import replace
from typing import Any

from nixfleet_agent import actions as a
from nixfleet_agent import events as e
from nixfleet_protocol import limits, text
from nixfleet_protocol.messages import KnownRun, Output, Progress, ProgressState, Status
from nixfleet_protocol.states import COMMANDS

BATCH = limits.BATCH_MESSAGES
"""Records taken from the disk at once."""
WHOLE_STEPS = frozenset({"activate", "rollback", "profile", "boot"})
"""Phases that a runner brings to their end also when it is to stop: half an activation leaves units stopped."""


class Run:
    """One run that the server has not confirmed as ended."""

    __slots__ = (
        "final_sent",
        "have",
        "last_seq",
        "own",
        "pid",
        "progress",
        "request",
        "result",
        "sent",
        "settle_at",
        "state",
    )

    def __init__(self, request: e.Request) -> None:
        self.request = request
        self.state = "launching"
        """`launching` until claimed, then `live`."""
        self.result: Status | None = None
        self.pid: int | None = None
        self.own = False
        """Needs no runner: the core itself gives it its result."""
        self.last_seq = 0
        self.have: int | None = None
        """What the server has durably; None while not known on this connection."""
        self.sent = 0
        self.final_sent = False
        self.progress: ProgressState | None = None
        self.settle_at = 0.0

    @classmethod
    def known(cls, found: e.Known) -> "Run":
        """A run from an earlier process of the agent."""
        run = cls(found.request)
        rule = COMMANDS.get(run.command)
        run.own = rule is not None and rule.always
        run.state, run.result, run.last_seq = "live", found.result, found.last_seq
        run.pid = found.pid if found.alive else None
        return run

    @property
    def run_id(self) -> str:
        return self.request.run_id

    @property
    def command(self) -> str:
        return self.request.command

    @property
    def version(self) -> str:
        """Version of the agent that claimed it."""
        return self.request.version

    @property
    def title(self) -> str:
        return f"{self.command} (run {self.run_id})"

    @property
    def busy(self) -> bool:
        """It keeps the host from doing another command."""
        return self.result is None and not self.own

    @property
    def whole(self) -> bool:
        """It is at a step that is worse half done than undone: only a stop with force ends it."""
        return self.progress is not None and self.progress.phase in WHOLE_STEPS

    @property
    def watched(self) -> bool:
        """It has a runner whose journal and life are worth a look."""
        return self.busy and self.state == "live"


class Delivery:
    """All runs, oldest first. Reads are asked for one at a time, so that the window is never promised twice."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.looking = False
        self._hungry: dict[str, None] = {}
        """Runs that may have something to send, in turn."""

    @property
    def running(self) -> Run | None:
        """The run that keeps the host busy, if any."""
        return next((run for run in self.runs.values() if run.busy), None)

    def add(self, run: Run) -> Run:
        self.runs[run.run_id] = run
        return run

    def forget(self, run: Run) -> None:
        self.runs.pop(run.run_id, None)
        self._hungry.pop(run.run_id, None)

    def disconnected(self) -> None:
        """What was told is to be told again."""
        self.looking = False
        self._hungry.clear()
        for run in self.runs.values():
            run.have, run.final_sent, run.progress = None, False, None

    def listed(self) -> tuple[KnownRun, ...]:
        """For `register`: those under way first, then the oldest."""
        runs = sorted(self.runs.values(), key=lambda run: run.result is not None)
        return tuple(
            KnownRun(
                run_id=run.run_id,
                command=run.command,
                ended=run.result is not None,
                last_seq=max(run.last_seq, run.sent, run.result.last_seq if run.result else 0),
            )
            for run in runs[: limits.RUNS_MAX]
            if run.state == "live" or run.result
        )

    def resume(self, run: Run, have: int, wall: int) -> list[Any]:
        """The server has `have` records of it: what to say first. What follows comes by looking."""
        run.have = run.sent = have
        run.settle_at = 0.0
        run.final_sent = False
        self.hungry(run)
        if run.state == "launching" or (run.result and run.result.status == "rejected"):
            return []
        return [_running(run, wall)]

    def answer(self, run: Run, wall: int) -> list[Any]:
        """The command came again: say how it stands."""
        if run.final_sent or run.state == "launching":
            run.final_sent = False
            self.hungry(run)
            return []
        return [_running(run, wall)]

    def hungry(self, run: Run) -> None:
        self._hungry[run.run_id] = None

    def next_look(self, room: int) -> a.Look | None:
        """The next read, if one is wanted and the window has room."""
        if self.looking or room <= 0:
            return None
        while self._hungry:
            run_id = next(iter(self._hungry))
            del self._hungry[run_id]
            run = self.runs.get(run_id)
            if run and run.have is not None and (run.state == "live" or run.result):
                self.looking = True
                return a.Look(run_id, run.sent, min(room, BATCH))
        return None

    def output(self, run: Run, seen: e.Seen) -> list[Any]:
        """What a look has brought, as messages; the final status when all before it has been sent."""
        messages: list[Any] = [
            Output(
                run_id=run.run_id,
                command=run.command,
                seq=record.seq,
                stream=record.stream,
                line=text.to_text(record.data),
                at=record.at,
                partial=record.partial,
            )
            for record in seen.records
        ]
        if seen.records:
            run.sent = run.last_seq = seen.records[-1].seq
        if seen.progress and seen.progress != run.progress and run.result is None:
            run.progress = seen.progress
            messages.append(Progress(run_id=run.run_id, command=run.command, progress=seen.progress))
        if seen.more:
            self.hungry(run)
        elif run.result and (seen.result or run.own) and not run.final_sent:
            run.final_sent = True
            messages.append(_final(run, run.result))
        return messages


def _running(run: Run, wall: int) -> Status:
    return Status(run_id=run.run_id, command=run.command, status="running", at=wall, pid=run.pid)


def _final(run: Run, result: Status) -> Status:
    """The result as stored, but never waiting for records that are no longer there to send."""
    if result.last_seq == run.sent:
        return result
    return replace(result, last_seq=run.sent)
