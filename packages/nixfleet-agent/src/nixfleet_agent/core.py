"""The resident's mind: an event and the time go in, actions come out. No clock, socket, file or process.

A run, as the agent sees it:

    launching ──Launched──▶ live ──result──▶ ended ──ack──▶ (delivered, forgotten)
    own (stop, restart: no runner) ──Finish──▲

The journal is the truth about a run; this keeps only how far the server has been told.
"""

import signal
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nixfleet_agent import events as e
from nixfleet_agent.__about__ import __version__
from nixfleet_agent.backoff import Backoff
from nixfleet_agent.delivery import Delivery, Run
from nixfleet_protocol import limits
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages import (
    Ack,
    CommandMessage,
    Facts,
    Goodbye,
    Heartbeat,
    Ping,
    Pong,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.session.agent_end import MAY_SEND, AgentEnd
from nixfleet_protocol.states import COMMANDS
from nixfleet_protocol.versions import CAPABILITIES, PROTOCOL

STABLE = 10.0
"""Seconds registered after which a connection counts as good, and backoff begins anew."""
LOOK_EVERY = 1.0
"""Seconds between two looks at a live run that doesn't ring."""
STOP_LIMIT = 20.0
"""Seconds a runner has to end what it runs (it takes 3 to ask and 5 to kill); then it is killed itself."""
SETTLE_AGAIN = 30.0
_REFUSED_WAIT = (30.0, 60.0)
"""Seconds to stay away when the server doesn't want this agent."""


class Identity(NamedTuple):
    """What the agent says about itself, from its configuration. `interval` in seconds."""

    hostname: str
    platform: str
    interval: float
    commands: tuple[str, ...]


class Core:
    """`step` is the only way in. `wake_at` says when a Tick is wanted at the latest (same clock as `now`)."""

    def __init__(
        self, identity: Identity, backoff: Backoff, known: Iterable[e.Known] = (), facts: Facts | None = None
    ) -> None:
        self.facts = facts or Facts()
        self.connection = "connecting"
        """`connecting`, `registering`, `connected` or `waiting`, for `nixfleet-agent status`."""
        self.error: str | None = None
        """Why the last connection ended or failed."""
        self.registered: Registered | None = None
        self.beat_sent_at: int | None = None
        """Milliseconds since the epoch."""
        self._identity = identity
        self._backoff = backoff
        self._end = AgentEnd()
        self._delivery = Delivery()
        self._stops: dict[str, tuple[str, float]] = {}
        """stop's run → (run to stop, when to kill its runner)"""
        self._goodbye: Goodbye | None = None
        self._registered_at: float | None = None
        self._register_by: float | None = None
        self._beat_at: float | None = None
        self._look_at = 0.0
        self._facts_sent: Facts | None = None
        self._out: list[e.Action] = []
        self._now = 0.0
        self._wall = 0
        for found in known:
            self._delivery.add(Run.known(found))

    def begin(self, now: float, wall: int) -> list[e.Action]:
        """The first actions of a process: connect, and go on with what its predecessor left."""
        self._now, self._wall, self._out = now, wall, []
        self._do(e.Connect(0.0))
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
        return self._out

    def step(self, event: e.Event, now: float, wall: int) -> list[e.Action]:
        """`now`: monotonic seconds; `wall`: milliseconds since the epoch."""
        self._now, self._wall, self._out = now, wall, []
        handle: Callable[[Core, Any], None] = _EVENTS[type(event)]
        handle(self, event)
        self._on_time()
        return self._out

    @property
    def wake_at(self) -> float | None:
        """When something is due, or None."""
        times = [at for at in (self._beat_at, self._register_by) if at is not None]
        if any(run.watched for run in self._delivery.runs.values()):
            times.append(self._look_at)
        return min(times, default=None)

    @property
    def running(self) -> Run | None:
        """The run that keeps the host busy, if any."""
        return next((run for run in self._delivery.runs.values() if run.busy), None)

    @property
    def undelivered(self) -> int:
        """Runs that the server has not confirmed as ended."""
        return len(self._delivery.runs)

    # Connection

    def _opened(self, event: e.Opened) -> None:
        self._end = AgentEnd()
        self._goodbye = None
        self._facts_sent = None
        self._register_by = self._now + limits.REGISTER_TIMEOUT
        self.connection = "registering"
        self._facts_sent = self.facts
        identity = self._identity
        self._send(
            Register(
                hostname=identity.hostname,
                protocol=str(PROTOCOL),
                agent_version=__version__,
                platform=identity.platform,
                interval=identity.interval,
                capabilities=CAPABILITIES,
                commands=identity.commands,
                facts=self.facts,
                runs=self._delivery.listed(),
            )
        )

    def _received(self, event: e.Received) -> None:
        try:
            messages = self._end.receive(event.frame)
        except RemoteProtocolError as error:
            self._say("error", "the server broke the protocol", reason=str(error))
            self._do(e.Close(error.close_code, str(error)))
            return
        for message in messages:
            _MESSAGES[type(message)](self, message)

    def _on_registered(self, message: Registered) -> None:
        self.registered = message
        self.connection, self.error = "connected", None
        self._register_by = None
        self._registered_at = self._beat_at = self._now
        if message.host_id != self._identity.hostname:
            self._say("warning", "the token is another host's", host=message.host_id)
        if not message.compatible:
            self._say(
                "error",
                "the server speaks another protocol: update this agent",
                server=message.server_version,
            )
        self._say("info", "connected", host=message.host_id, server=message.server_version)
        held = {run.run_id: run for run in message.runs}
        for run in list(self._delivery.runs.values()):
            answer = held.get(run.run_id)
            if answer and answer.ended:
                self._delivered(run)
            elif message.compatible:
                self._send(*self._delivery.resume(run, answer.have if answer else 0, self._wall))
        self._look_next()

    def _closed(self, event: e.Closed) -> None:
        if self._registered_at is not None and self._now - self._registered_at >= STABLE:
            self._backoff.reset()
        goodbye, self._goodbye = self._goodbye, None
        delay = self._backoff.next()
        if goodbye and goodbye.reason in ("shutdown", "other"):
            delay = self._backoff.between(goodbye.retry_min, goodbye.retry_max)
        elif goodbye:
            delay = self._backoff.between(*_REFUSED_WAIT)
        self._registered_at = self._register_by = self._beat_at = None
        self._end = AgentEnd()
        self._delivery.disconnected()
        self.connection, self.error = "waiting", event.reason
        self._say("warning", "not connected", reason=event.reason, retry_in=round(delay, 1))
        self._do(e.Connect(delay))

    def _on_goodbye(self, message: Goodbye) -> None:
        self._goodbye = message
        meaning = {
            "replaced": "another agent connected with this host's token: are two running?",
            "revoked": "the server revoked this host's token",
            "removed": "this host was removed from the server",
        }.get(message.reason)
        self._say(
            "error" if meaning else "info",
            meaning or "the server says goodbye",
            detail=message.message or None,
        )

    def _on_ping(self, message: Ping) -> None:
        self._send(Pong(at=message.at))

    def _terminated(self, event: e.Terminated) -> None:
        self._do(e.Close(1000, "shutdown"), e.Exit(0))

    # Commands

    def _on_command(self, message: CommandMessage) -> None:
        run = self._delivery.runs.get(message.run_id)
        if run:  # sent again: answer with its state, start nothing
            self._send(*self._delivery.answer(run, self._wall))
            return
        request = e.Request(message.run_id, message.command, message.options, __version__)
        run = self._delivery.add(Run(request))
        rule = COMMANDS.get(message.command)
        busy = next(
            (other for other in self._delivery.runs.values() if other.busy and other is not run), None
        )
        if message.command not in self._identity.commands or rule is None:
            self._reject(run, f"this agent has no command {message.command}")
        elif rule.always:
            run.own = True
            self._do(e.RecordRun(request, None))
        elif busy:
            self._reject(run, f"busy: {busy.title} is running")
        else:
            self._say("info", "command", command=run.command, run=run.run_id)
            self._do(e.Launch(request))

    def _reject(self, run: Run, message: str) -> None:
        run.own = True
        self._say("warning", "command rejected", command=run.command, run=run.run_id, reason=message)
        run.result = self._status(run, "rejected", message, None)
        self._do(e.RecordRun(run.request, run.result))

    def _launched(self, event: e.Launched) -> None:
        run = self._delivery.runs.get(event.run_id)
        if run is None:
            return
        run.state, run.pid = "live", event.pid
        self._send(*self._delivery.resume(run, 0, self._wall))
        self._look_next()
        for target, _ in self._stops.values():
            if target == run.run_id:
                self._do(e.Signal(event.pid, signal.SIGTERM))

    def _not_launched(self, event: e.NotLaunched) -> None:
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
            self._say(
                "error", "command not started", command=run.command, run=run.run_id, reason=event.message
            )
            self._do(e.RecordRun(run.request, run.result))

    def _recorded(self, event: e.Recorded) -> None:
        run = self._delivery.runs.get(event.run_id)
        if run is None:
            return
        if not event.stored:
            self._say("error", "a run could not be stored", run=run.run_id)
        if run.result:
            self._ended(run)
            self._send(*self._delivery.resume(run, 0, self._wall))
            self._look_next()
            return
        run.state = "live"
        self._send(*self._delivery.resume(run, 0, self._wall))
        if run.command == "stop":
            self._stop(run)
        else:
            self._say("info", "restarting as asked", run=run.run_id)
            self._do(e.Close(1000, "restart"), e.Exit(0))

    def _existing(self, event: e.Existing) -> None:
        run = self._delivery.add(Run.known(event.known))
        self._send(*self._delivery.resume(run, 0, self._wall))
        self._look_next()

    def _stop(self, run: Run) -> None:
        busy = self.running
        wanted = run.request.options.target or (busy.run_id if busy else None)
        target = self._delivery.runs.get(wanted) if wanted else None
        if target is None or not target.busy:
            what = f"run {wanted} is not running" if wanted else "no command is running"
            self._finish(run, "failed", f"nothing to stop: {what}", 1)
            return
        self._say("info", "stopping", command=target.command, run=target.run_id)
        self._stops[run.run_id] = (target.run_id, self._now + STOP_LIMIT)
        if target.pid:
            self._do(e.Signal(target.pid, signal.SIGTERM))

    def _ended(self, target: Run) -> None:
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
        self._do(e.Finish(run.result))
        if self._end.state == "active":
            self._delivery.hungry(run)
            self._look_next()

    def _status(self, run: Run, status: str, message: str, exit_code: int | None) -> Status:
        return Status(
            run_id=run.run_id,
            command=run.command,
            status=status,
            at=self._wall,
            exit_code=exit_code,
            message=message[: limits.TEXT_MAX],
        )

    # Journals

    def _looked(self, event: e.Looked) -> None:
        run = self._delivery.runs.get(event.run_id)
        self._delivery.looking = self._delivery.looking and not event.limit
        if run is None:
            self._look_next()
            return
        seen = event.seen
        if seen.result and run.result is None:
            run.result = seen.result
            self._say("info", "command ended", command=run.command, run=run.run_id, result=run.result.status)
            self._ended(run)
        if run.watched and not seen.alive and seen.result is None and run.have is not None:
            self._settle(run)
        if self._end.state == "active" and event.limit:
            self._send(*self._delivery.output(run, seen))
        self._look_next()

    def _settle(self, run: Run) -> None:
        if self._now < run.settle_at or run.have is None:
            return
        run.settle_at = self._now + SETTLE_AGAIN
        self._say("warning", "a runner died without a result", command=run.command, run=run.run_id)
        self._do(e.Settle(run.run_id, run.have))

    def _rang(self, event: e.Rang) -> None:
        run = self._delivery.runs.get(event.run_id)
        if run:
            self._watch(run)

    def _child_ended(self, event: e.ChildEnded) -> None:
        for run in list(self._delivery.runs.values()):
            if run.watched:
                self._watch(run)

    def _watch(self, run: Run) -> None:
        """Look at a run: for output if some can be sent, else only for its life."""
        if self._end.room and run.have is not None:
            self._delivery.hungry(run)
            self._look_next()
        elif run.watched:
            self._do(e.Look(run.run_id, run.sent, 0))
            self._delivery.hungry(run)

    def _look_next(self) -> None:
        look = self._delivery.next_look(self._end.room)
        if look:
            self._do(look)

    def _on_ack(self, message: Ack) -> None:
        run = self._delivery.runs.get(message.run_id)
        if run:
            run.have = max(run.have or 0, message.seq)
            if message.ended:
                self._delivered(run)
        self._look_next()

    def _delivered(self, run: Run) -> None:
        if run.result is None and run.watched:  # the server ended it by its own word; it may still live here
            self._say("warning", "the server ended a run that still runs", run=run.run_id)
        self._delivery.forget(run)
        self._do(e.Delivered(run.run_id))

    # Time

    def _on_time(self) -> None:
        if self._register_by is not None and self._now >= self._register_by:
            self._register_by = None
            self._do(e.Close(1002, "the server did not answer register"))
        if self._beat_at is not None and self._now >= self._beat_at:
            late = self._now - self._beat_at > self._identity.interval
            self._beat_at = (self._now if late else self._beat_at) + self._identity.interval
            self._do(e.Sample())
        if self._now >= self._look_at:
            self._look_at = self._now + LOOK_EVERY
            self._child_ended(e.ChildEnded())
            for target, kill_at in self._stops.values():
                run = self._delivery.runs.get(target)
                if run and run.pid and run.busy and self._now >= kill_at:
                    self._say("error", "a runner does not end and is killed", run=target)
                    self._do(e.Signal(run.pid, signal.SIGKILL))

    def _sampled(self, event: e.Sampled) -> None:
        if self._end.state not in ("active", "leaving"):
            return
        facts = self.facts if self.facts != self._facts_sent else None
        self._facts_sent = self.facts
        busy = self.running
        self.beat_sent_at = self._wall
        self._send(
            Heartbeat(
                at=self._wall,
                facts=facts,
                metrics=event.metrics,
                pending_command=busy.command if busy else None,
                command_pid=busy.pid if busy else None,
                run_id=busy.run_id if busy else None,
            )
        )

    def _facts_read(self, event: e.FactsRead) -> None:
        if event.facts != self.facts:
            self.facts = event.facts
            if self._beat_at is not None:
                self._do(e.Sample())  # the page shall not wait an interval for what a command has changed

    def _tick(self, event: e.Tick) -> None:
        """Nothing but `_on_time`."""

    def _send(self, *messages: Any) -> None:
        """Send what may be sent now; the rest is said again after the next `registered`."""
        allowed = [message for message in messages if isinstance(message, MAY_SEND[self._end.state])]
        if allowed:
            self._do(e.Send(self._end.send(*allowed)))

    def _do(self, *actions: e.Action) -> None:
        self._out += actions

    def _say(self, level: str, event: str, **fields: Any) -> None:
        self._do(e.Say(level, event, fields))


_EVENTS: dict[type, Callable[[Core, Any], None]] = {
    e.Opened: Core._opened,
    e.Received: Core._received,
    e.Closed: Core._closed,
    e.Looked: Core._looked,
    e.Rang: Core._rang,
    e.ChildEnded: Core._child_ended,
    e.Launched: Core._launched,
    e.NotLaunched: Core._not_launched,
    e.Recorded: Core._recorded,
    e.Existing: Core._existing,
    e.Sampled: Core._sampled,
    e.FactsRead: Core._facts_read,
    e.Tick: Core._tick,
    e.Terminated: Core._terminated,
}

_MESSAGES: dict[type, Callable[[Core, Any], None]] = {
    Registered: Core._on_registered,
    CommandMessage: Core._on_command,
    Ack: Core._on_ack,
    Ping: Core._on_ping,
    Goodbye: Core._on_goodbye,
}
