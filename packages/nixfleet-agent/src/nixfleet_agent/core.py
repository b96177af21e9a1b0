"""The resident's mind: an event and the time go in, actions come out. No clock, socket, file or process.

A run, as the agent sees it:

    launching ──Launched──▶ live ──result──▶ ended ──ack──▶ (delivered, forgotten)
    own (stop, restart: no runner) ──Finish──▲

The journal is the truth about a run; the core keeps only how far the server has been told. Its parts: this (connection,
heartbeats, time), `dispatch` (commands), `watch` (journals), over `delivery` (what the server has been told).
"""

from collections.abc import Callable, Iterable
from typing import Any

from nixfleet_agent import actions as a
from nixfleet_agent import events as e
from nixfleet_agent import farewell
from nixfleet_agent.backoff import Backoff
from nixfleet_agent.delivery import Delivery, Run
from nixfleet_agent.dispatch import Dispatch
from nixfleet_agent.identity import Identity
from nixfleet_agent.out import Out
from nixfleet_agent.watch import Watch
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
    Registered,
)
from nixfleet_protocol.session.agent_end import AgentEnd

STABLE = 10.0
"""Seconds registered after which a connection counts as good, and backoff begins anew."""
LOOK_EVERY = 1.0
"""Seconds between two looks at a live run that doesn't ring."""


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
        self.opened_at: float | None = None
        """When the connection was opened on which the agent is registered; None while it isn't. Monotonic seconds."""
        self.lost_at: float | None = None
        """When the last such connection ended."""
        self.away_until: float | None = None
        """Until when the server asked to stay away as it said goodbye; None once it is back."""
        self.beat_sent_at: int | None = None
        """Milliseconds since the epoch."""
        self._identity = identity
        self._backoff = backoff
        self._out = Out()
        self._delivery = Delivery()
        self._dispatch = Dispatch(self._out, self._delivery, identity.commands, lambda: self._watch.next())
        self._watch = Watch(self._out, self._delivery, self._dispatch.ended)
        self._goodbye: Goodbye | None = None
        self._opened_at = 0.0
        self._registered_at: float | None = None
        self._register_by: float | None = None
        self._beat_at: float | None = None
        self._look_at = 0.0
        self._facts_sent: Facts | None = None
        for found in known:
            self._delivery.add(Run.known(found))

    def begin(self, now: float, wall: int) -> list[a.Action]:
        """The first actions of a process: connect, and go on with what its predecessor left."""
        self._out.begin(now, wall)
        self._out.do(a.Connect(0.0))
        self._dispatch.adopt()
        return self._out.actions

    def step(self, event: e.Event, now: float, wall: int) -> list[a.Action]:
        """`now`: monotonic seconds; `wall`: milliseconds since the epoch."""
        self._out.begin(now, wall)
        _EVENTS[type(event)](self, event)
        self._on_time()
        return self._out.actions

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
        return self._delivery.running

    @property
    def undelivered(self) -> int:
        """Runs that the server has not confirmed as ended."""
        return len(self._delivery.runs)

    # Connection

    def _opened(self, event: e.Opened) -> None:
        self._out.end = AgentEnd()
        self._opened_at = self._out.now
        self._goodbye = None
        self._register_by = self._out.now + limits.REGISTER_TIMEOUT
        self.connection = "registering"
        self._facts_sent = self.facts
        self._out.send(self._identity.register(self.facts, self._delivery.listed()))

    def _received(self, event: e.Received) -> None:
        try:
            messages = self._out.end.receive(event.frame)
        except RemoteProtocolError as error:
            self._out.say("error", "the server broke the protocol", reason=str(error))
            self._out.do(a.Close(error.close_code, str(error)))
            return
        for message in messages:
            _MESSAGES[type(message)](self, message)

    def _on_registered(self, message: Registered) -> None:
        self.registered = message
        self.connection, self.error = "connected", None
        self.opened_at, self.away_until = self._opened_at, None
        self._register_by = None
        self._registered_at = self._beat_at = self._out.now
        if message.host_id != self._identity.hostname:
            self._out.say("warning", "the token is another host's", host=message.host_id)
        if not message.compatible:
            self._out.say(
                "error", "the server can't understand this agent: update it", server=message.server_version
            )
        self._out.say("info", "connected", host=message.host_id, server=message.server_version)
        held = {run.run_id: run for run in message.runs}
        for run in list(self._delivery.runs.values()):
            answer = held.get(run.run_id)
            if answer and answer.ended:
                self._watch.delivered(run)
            elif message.compatible:
                self._out.send(*self._delivery.resume(run, answer.have if answer else 0, self._out.wall))
        self._watch.next()

    def _closed(self, event: e.Closed) -> None:
        if self._registered_at is not None and self._out.now - self._registered_at >= STABLE:
            self._backoff.reset()
        goodbye, self._goodbye = self._goodbye, None
        delay = self._backoff.next()
        if goodbye:
            delay = self._backoff.between(*farewell.wait(goodbye))
        self._registered_at = self._register_by = self._beat_at = None
        if self.opened_at is not None:
            self.opened_at, self.lost_at = None, self._out.now
        self._out.end = AgentEnd()
        self._delivery.disconnected()
        self.connection, self.error = "waiting", event.reason
        self._out.say("warning", "not connected", reason=event.reason, retry_in=round(delay, 1))
        self._out.do(a.Connect(delay))

    def _on_goodbye(self, message: Goodbye) -> None:
        self._goodbye = message
        self.away_until = farewell.back_by(message, self._out.now) or self.away_until
        self._out.say(*farewell.words(message), detail=message.message or None)

    def _on_ping(self, message: Ping) -> None:
        self._out.send(Pong(at=message.at))

    def _terminated(self, event: e.Terminated) -> None:
        self._out.do(a.Close(1000, "shutdown"), a.Exit(0))

    # Time

    def _on_time(self) -> None:
        now = self._out.now
        if self._register_by is not None and now >= self._register_by:
            self._register_by = None
            self._out.do(a.Close(1002, "the server did not answer register"))
        if self._beat_at is not None and now >= self._beat_at:
            late = now - self._beat_at > self._identity.interval
            self._beat_at = (now if late else self._beat_at) + self._identity.interval
            self._out.do(a.Sample())
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._watch.all()
            self._dispatch.impatient()

    def _sampled(self, event: e.Sampled) -> None:
        if self._out.end.state not in ("active", "leaving"):
            return
        facts = self.facts if self.facts != self._facts_sent else None
        self._facts_sent = self.facts
        busy = self.running
        self.beat_sent_at = self._out.wall
        self._out.send(
            Heartbeat(
                at=self._out.wall,
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
                self._out.do(a.Sample())  # the page shall not wait an interval for what a command has changed


_EVENTS: dict[type, Callable[[Core, Any], None]] = {
    e.Opened: Core._opened,
    e.Received: Core._received,
    e.Closed: Core._closed,
    e.Sampled: Core._sampled,
    e.FactsRead: Core._facts_read,
    e.Terminated: Core._terminated,
    e.Tick: lambda core, event: None,  # `step` looks at the time after each event
    e.Launched: lambda core, event: core._dispatch.launched(event),
    e.NotLaunched: lambda core, event: core._dispatch.not_launched(event),
    e.Recorded: lambda core, event: core._dispatch.recorded(event),
    e.Existing: lambda core, event: core._dispatch.existing(event),
    e.Looked: lambda core, event: core._watch.looked(event),
    e.Rang: lambda core, event: core._watch.rang(event),
    e.ChildEnded: lambda core, event: core._watch.all(),
}

_MESSAGES: dict[type, Callable[[Core, Any], None]] = {
    Registered: Core._on_registered,
    Goodbye: Core._on_goodbye,
    Ping: Core._on_ping,
    CommandMessage: lambda core, message: core._dispatch.command(message),
    Ack: lambda core, message: core._watch.ack(message),
}
