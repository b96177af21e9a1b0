"""Commands: start, refuse, stop, restart; each asked-for run gets exactly one answer."""

from collections.abc import Callable

from nixfleet_agent import actions as a
from nixfleet_agent import events as e
from nixfleet_agent.__about__ import __version__
from nixfleet_agent.delivery import Delivery, Run
from nixfleet_agent.out import Out
from nixfleet_protocol import limits
from nixfleet_protocol.messages import CommandMessage, Status
from nixfleet_protocol.states import COMMANDS

STOP_LIMIT = 20.0
"""Seconds a runner has to end what it runs (it takes 3 to ask and 5 to kill); then it is killed itself."""


class Dispatch:
    """The part of the core that begins and ends runs."""

    def __init__(
        self, out: Out, delivery: Delivery, commands: tuple[str, ...], look_next: Callable[[], None]
    ) -> None:
        self._out = out
        self._delivery = delivery
        self._commands = commands
        self._look_next = look_next
        self._stops: dict[str, tuple[str, float]] = {}
        """stop's run → (run to stop, when to kill its runner)"""

    def adopt(self) -> None:
        """Go on with what an earlier process left."""
        for run in list(self._delivery.runs.values()):
            if run.command == "restart" and run.result is None:
                before = run.version or "unknown"
                same = f"the agent restarted, version {__version__}"
                changed = f"the agent restarted: version {before} → {__version__}"
                self._finish(run, "ok", same if before == __version__ else changed, 0)
            elif run.command == "stop" and run.result is None:
                self._stop(run)
            elif run.own and run.result is None:
                self._finish(run, "interrupted", "the agent died before it could answer", None)

    def command(self, message: CommandMessage) -> None:
        """The server asks for a run."""
        run = self._delivery.runs.get(message.run_id)
        if run:  # sent again: answer with its state, start nothing
            self._out.send(*self._delivery.answer(run, self._out.wall))
            return
        request = e.Request(message.run_id, message.command, message.options, __version__)
        run = self._delivery.add(Run(request))
        rule = COMMANDS.get(message.command)
        busy = next(
            (other for other in self._delivery.runs.values() if other.busy and other is not run), None
        )
        if message.command not in self._commands or rule is None:
            self._reject(run, f"this agent has no command {message.command}")
        elif rule.always:
            run.own = True
            self._out.do(a.RecordRun(request, None))
        elif busy:
            self._reject(run, f"busy: {busy.title} is running")
        else:
            self._out.say("info", "command", command=run.command, run=run.run_id)
            self._out.do(a.Launch(request))

    def _reject(self, run: Run, message: str) -> None:
        run.own = True
        self._out.say("warning", "command rejected", command=run.command, run=run.run_id, reason=message)
        run.result = self._status(run, "rejected", message, None)
        self._out.do(a.RecordRun(run.request, run.result))

    def launched(self, event: e.Launched) -> None:
        """A runner has it."""
        run = self._delivery.runs.get(event.run_id)
        if run is None:
            return
        run.state, run.pid = "live", event.pid
        self._out.send(*self._delivery.resume(run, 0, self._out.wall))
        self._look_next()
        for stop_id, (target, _) in self._stops.items():
            if target == run.run_id:
                self._out.do(a.Signal(run.run_id, event.pid, self._forced(stop_id)))

    def not_launched(self, event: e.NotLaunched) -> None:
        """No runner has it: it ends here, and says why."""
        run = self._delivery.runs.get(event.run_id)
        if run is None:
            return
        if event.why == "busy":
            self._reject(run, f"busy: {event.running} is running")
        elif event.why == "invalid":
            self._reject(run, event.message)
        else:
            run.own = True
            stopped = any(target == run.run_id for target, _ in self._stops.values())
            status = ("stopped", "stopped by user", 130) if stopped else ("failed", event.message, None)
            run.result = self._status(run, *status)
            self._out.say(
                "error", "command not started", command=run.command, run=run.run_id, reason=event.message
            )
            self._out.do(a.RecordRun(run.request, run.result))

    def recorded(self, event: e.Recorded) -> None:
        """A run without a runner is on disk: tell it, or do it. A disk that refuses keeps nobody from stopping a run."""
        run = self._delivery.runs.get(event.run_id)
        if run is None:
            return
        if not event.stored:
            self._out.say("error", "a run could not be stored", run=run.run_id)
        if run.result:
            self.ended(run)
            self._out.send(*self._delivery.resume(run, 0, self._out.wall))
            self._look_next()
            return
        run.state = "live"
        self._out.send(*self._delivery.resume(run, 0, self._out.wall))
        if run.command == "stop":
            self._stop(run)
        else:
            self._out.say("info", "restarting as asked", run=run.run_id)
            self._out.do(a.Close(1000, "restart"), a.Exit(0))

    def existing(self, event: e.Existing) -> None:
        """It was claimed before: answer with what its journal says."""
        run = self._delivery.add(Run.known(event.known))
        self._out.send(*self._delivery.resume(run, 0, self._out.wall))
        self._look_next()

    def _stop(self, run: Run) -> None:
        busy = self._delivery.running
        wanted = run.request.options.target or (busy.run_id if busy else None)
        target = self._delivery.runs.get(wanted) if wanted else None
        if (
            target and target.result and not target.own
        ):  # it ended while an earlier process of ours was stopping it
            self._stops[run.run_id] = (target.run_id, self._out.now)
            self.ended(target)
            return
        if target is None or not target.busy:
            what = f"run {wanted} is not running" if wanted else "no command is running"
            self._finish(run, "failed", f"nothing to stop: {what}", 1)
            return
        self._out.say("info", "stopping", command=target.command, run=target.run_id)
        self._stops[run.run_id] = (target.run_id, self._out.now + STOP_LIMIT)
        if target.pid:
            self._out.do(a.Signal(target.run_id, target.pid, self._forced(run.run_id)))

    def _forced(self, stop_id: str) -> bool:
        """Whether a stop doesn't wait for what would rather end by itself."""
        stop = self._delivery.runs.get(stop_id)
        return stop is not None and stop.request.options.force

    def ended(self, target: Run) -> None:
        """A run has a result: the stops that wait for it have theirs."""
        for stop_id, (run_id, _) in list(self._stops.items()):
            stop = self._delivery.runs.get(stop_id)
            if run_id != target.run_id or target.result is None:
                continue
            del self._stops[stop_id]
            if stop is None:
                continue
            if target.result.status in ("stopped", "interrupted"):
                self._finish(stop, "ok", f"stopped {target.title}", 0)
            else:
                said = f"nothing to stop: {target.title} had ended: {target.result.status}"
                self._finish(stop, "failed", said, 1)

    def _finish(self, run: Run, status: str, message: str, exit_code: int | None) -> None:
        """Give a result to a run that needs no runner."""
        run.result = self._status(run, status, message, exit_code)
        self._out.do(a.Finish(run.result))
        if self._out.active:
            self._delivery.hungry(run)
            self._look_next()

    def _status(self, run: Run, status: str, message: str, exit_code: int | None) -> Status:
        return Status(
            run_id=run.run_id,
            command=run.command,
            status=status,
            at=self._out.wall,
            exit_code=exit_code,
            message=message[: limits.TEXT_MAX],
        )

    def impatient(self) -> None:
        """Kill the runners that have had their time to stop."""
        for target, kill_at in self._stops.values():
            run = self._delivery.runs.get(target)
            if run and run.pid and run.busy and not run.whole and self._out.now >= kill_at:
                self._out.say("error", "a runner does not end and is killed", run=target)
                self._out.do(a.Signal(run.run_id, run.pid, True, late=True))
