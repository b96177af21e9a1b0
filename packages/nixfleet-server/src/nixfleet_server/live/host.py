"""A host as it is now."""

from dataclasses import replace
from typing import TYPE_CHECKING

from nixfleet_protocol import limits
from nixfleet_protocol.messages import Metrics, RunView
from nixfleet_protocol.messages.browser import HostView
from nixfleet_server.clock import wall_clock
from nixfleet_server.domain.availability import Days, day_of, share
from nixfleet_server.domain.flapping import flapping
from nixfleet_server.domain.pace import Pace
from nixfleet_server.domain.presence import presence
from nixfleet_server.live.run import LiveRun
from nixfleet_server.store.hosts import HostRecord

if TYPE_CHECKING:
    from nixfleet_server.live.agent import AgentConnection


class LiveHost:
    """What is kept of a host, and what only holds while the server runs."""

    def __init__(self, record: HostRecord, last_run: RunView | None = None) -> None:
        self.record = record
        self.connection: AgentConnection | None = None
        self.heard = float("-inf")
        """When its last message came, by the monotonic clock."""
        self.metrics: Metrics | None = None
        self.run: LiveRun | None = None
        """The run under way, `stop` and `restart` aside."""
        self.queue: list[LiveRun] = []
        """Runs that wait for it, in the order to send them."""
        self.send_again: float | None = None
        """When to try once more to send what waits, by the monotonic clock: it could not be written down."""
        self.quota = Pace(limits.HOST_LOGS_PER_SECOND, limits.HOST_LOGS_BURST, 0.0)
        """Bytes of output that are still taken of it."""
        self.days: Days = {}
        """How long it was there."""
        self.last_run = last_run
        self.adopted = 0
        """Runs taken over from it that we did not know."""
        self.shown = ""
        """The `face` that watchers were last told."""
        self.turns: tuple[float, ...] = ()
        """When a live connection of it was replaced, by the monotonic clock; see `domain.flapping`."""
        self.unsaved = False

    @property
    def name(self) -> str:
        """The host's id."""
        return self.record.name

    @property
    def there(self) -> bool:
        """It has registered, and can be told something."""
        return self.connection is not None and self.connection.ready

    def presence(self, now: float) -> str:
        """Whether it is there; `now` by the monotonic clock."""
        return presence(
            seen=self.record.last_seen_at is not None,
            connected=self.connection is not None,
            silent=now - self.heard,
            interval=self.record.interval,
            busy=self.run is not None,
        )

    def face(self, now: float) -> str:
        """What of it changes because time passes."""
        return f"{self.presence(now)} {flapping(self.turns, now)}"

    def availability(self) -> float | None:
        """Percent of the last 30 days that it was there; None while nothing is known."""
        return share(self.days, day_of(wall_clock()))

    def view(self, now: float) -> HostView:
        """The host as peers see it; `now` by the monotonic clock."""
        record, run = self.record, self.run
        return HostView(
            host_id=record.name,
            criticality=record.criticality,
            presence=self.presence(now),
            connected=self.connection is not None,
            last_seen_at=record.last_seen_at,
            interval=record.interval,
            platform=record.platform,
            agent_version=record.agent_version,
            protocol=record.protocol,
            compatible=record.compatible,
            commands=record.commands,
            facts=record.facts,
            metrics=self.metrics,
            pending_command=run.view.command if run else None,
            command_pid=run.pid if run else None,
            run_id=run.view.run_id if run else None,
            notes=record.notes,
            created_at=record.created_at,
            flapping=flapping(self.turns, now),
            token_overlap_until=record.overlap_until(wall_clock()),
            queued=len(self.queue),
            availability=self.availability(),
            last_run=brief(run.snapshot() if run else self.last_run),
        )


def brief(run: RunView | None) -> RunView | None:
    """A run as its host shows it: long details come with the run itself, not with every heartbeat."""
    if run is None:
        return None
    if run.tests is not None and run.tests.failures:
        run = replace(run, tests=replace(run.tests, failures=()))
    if run.outcome is not None:
        run = replace(run, outcome=replace(run.outcome, failures=(), changes="", units=""))
    return run
