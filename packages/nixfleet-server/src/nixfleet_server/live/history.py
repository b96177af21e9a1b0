"""What is kept of the fleet over time: a day of each host's load, 30 days of whether it was there.

Heartbeats and ticks only add to memory; one transaction every half minute writes it all. A crash loses that half minute
of a chart, and nothing else.
"""

from functools import partial

from nixfleet_protocol import limits
from nixfleet_protocol.messages import Metrics
from nixfleet_protocol.messages.fleet import MetricsHistory
from nixfleet_server.domain import availability
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.hub import Hub
from nixfleet_server.store import history
from nixfleet_server.store.history import Point

KEPT_MS = 24 * 3600 * 1000
SAMPLE_MS = 30_000
"""Between two points of a host: 2,880 a day, whatever its heartbeats. Measured against the slot, so that jitter of the
heartbeats loses none."""
WRITE_EVERY = 30.0
PRUNE_EVERY = 600.0
RETURN_GRACE = 60.0
"""Seconds after our own start in which a host's absence says more about us than about it."""
GAP_MAX = 5.0
"""Seconds since the last tick that still count: beyond, this machine slept, and knows nothing of others."""


class History:
    """Made on the running event loop; `load` before use, `write` at the end."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pending: list[tuple[str, Point]] = []
        self._sampled: dict[str, int] = {}
        self._counted: set[str] = set()
        now = hub.monotonic()
        self._started = self._last_tick = self._written = now
        self._pruned = float("-inf")
        hub.when_measured.append(self.measured)

    async def load(self) -> None:
        """Take over what is known of the hosts' days."""
        for name, days in (await self._hub.db.read(history.days)).items():
            host = self._hub.hosts.get(name)
            if host is not None:
                host.days = days

    def measured(self, host: LiveHost, metrics: Metrics) -> None:
        """A host told its load."""
        at = self._hub.now()
        slot = at // SAMPLE_MS
        if self._sampled.get(host.name) != slot:
            self._sampled[host.name] = slot
            self._pending.append((host.name, Point(at, metrics.cpu, metrics.ram, metrics.swap, metrics.load)))

    async def tick(self) -> None:
        """Count who is there, and write now and then."""
        hub = self._hub
        now = hub.monotonic()
        passed, self._last_tick = now - self._last_tick, now
        if passed <= GAP_MAX:
            self._count(passed, now)
        if now - self._written >= WRITE_EVERY:
            self._written = now
            await self.write()
        if now - self._pruned >= PRUNE_EVERY:
            self._pruned = now
            self._sampled = {name: slot for name, slot in self._sampled.items() if name in hub.hosts}
            today = availability.day_of(hub.now())
            await hub.db.write(
                partial(history.prune, hosts=list(hub.hosts), before=hub.now() - KEPT_MS, today=today)
            )

    async def write(self) -> None:
        """Write what came since the last time."""
        points, self._pending = self._pending, []
        counted, self._counted = self._counted, set()
        today = availability.day_of(self._hub.now())
        days = [
            (host.name, day, *pair)
            for host in self._hub.hosts.values()
            if host.name in counted
            for day, pair in host.days.items()
            if day >= today - 1
        ]
        if points or days:
            await self._hub.db.write(partial(history.write, points=points, days=days))

    async def show(self, host: LiveHost) -> MetricsHistory:
        """A host's last 24 hours."""
        since = self._hub.now() - KEPT_MS
        found = await self._hub.db.read(partial(history.points, host=host.name, since=since))
        last = found[-1].at if found else -1
        found += [point for name, point in list(self._pending) if name == host.name and point.at > last]
        found = found[-limits.POINTS_MAX :]
        return MetricsHistory(
            host_id=host.name,
            at=tuple(point.at for point in found),
            cpu=tuple(point.cpu for point in found),
            ram=tuple(point.ram for point in found),
            swap=tuple(point.swap for point in found),
            load=tuple(point.load for point in found),
        )

    def _count(self, seconds: float, now: float) -> None:
        day = availability.day_of(self._hub.now())
        for host in self._hub.hosts.values():
            presence = host.presence(now)
            there = presence in ("online", "stale")
            if presence == "new" or (not there and now - self._started < RETURN_GRACE):
                continue
            availability.add(host.days, day, seconds, there=there)
            self._counted.add(host.name)
