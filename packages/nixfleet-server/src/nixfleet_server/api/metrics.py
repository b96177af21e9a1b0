"""The fleet over time: a host's load, the last 30 days in numbers, and all of it for Prometheus."""

import asyncio
from collections import Counter
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.messages.fleet import FleetStats
from nixfleet_server.__about__ import __version__
from nixfleet_server.api.body import answer
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import Context, context
from nixfleet_server.domain.availability import DAY_MS, DAYS
from nixfleet_server.exposition import MEDIA, Sample, family, histogram
from nixfleet_server.live.counts import BUCKETS
from nixfleet_server.live.dispatch import find_host
from nixfleet_server.store.history import deployments


async def show(request: Request, principal: Principal) -> Response:
    """GET /hosts/{id}/metrics."""
    shared = context(request)
    await shared.hub.refresh()
    return answer(await shared.history.show(find_host(shared.hub, request.path_params["host_id"])))


async def stats(request: Request, principal: Principal) -> Response:
    """GET /stats."""
    shared = context(request)
    hub = shared.hub
    await hub.refresh()
    ended = await _deployments(shared)
    known = [share for host in hub.hosts.values() if (share := host.availability()) is not None]
    now = hub.monotonic()
    return answer(
        FleetStats(
            hosts=len(hub.hosts),
            online=sum(host.presence(now) == "online" for host in hub.hosts.values()),
            deployments=sum(ended.values()),
            successful=ended.get("ok", 0),
            availability=round(sum(known) / len(known), 3) if known else None,
        )
    )


async def prometheus(request: Request, principal: Principal) -> Response:
    """GET /metrics."""
    shared = context(request)
    await shared.hub.refresh()
    began = asyncio.get_running_loop().time()
    ended = await _deployments(shared)
    store = asyncio.get_running_loop().time() - began
    text = "".join([*_fleet(shared), *_runs(shared, ended), *_server(shared, store)])
    return Response(text, media_type=MEDIA)


async def _deployments(shared: Context) -> dict[str, int]:
    return await shared.hub.db.read(partial(deployments, since=shared.hub.now() - DAYS * DAY_MS))


def _fleet(shared: Context) -> list[str]:
    hub = shared.hub
    now = hub.monotonic()
    hosts = list(hub.hosts.values())
    presence = Counter(host.presence(now) for host in hosts)
    versions = Counter(host.record.agent_version or "" for host in hosts)
    shares = [({"host": host.name}, share) for host in hosts if (share := host.availability()) is not None]
    return [
        family(
            "nixfleet_hosts",
            "gauge",
            "Hosts by presence.",
            [({"presence": p}, presence[p]) for p in ("new", "online", "stale", "offline", "unreachable")],
        ),
        family(
            "nixfleet_host_up",
            "gauge",
            "1 if the host is there.",
            [({"host": host.name}, host.presence(now) in ("online", "stale")) for host in hosts],
        ),
        family(
            "nixfleet_host_last_seen_seconds",
            "gauge",
            "When the host was last heard, in seconds since the epoch.",
            [
                ({"host": host.name}, host.record.last_seen_at / 1000)
                for host in hosts
                if host.record.last_seen_at is not None
            ],
        ),
        family(
            "nixfleet_host_availability_ratio",
            "gauge",
            "Share of the last 30 days that the host was there.",
            [(labels, share / 100) for labels, share in shares],
        ),
        family(
            "nixfleet_agents",
            "gauge",
            "Hosts by their agent's version.",
            [({"version": version}, count) for version, count in sorted(versions.items())],
        ),
    ]


def _runs(shared: Context, ended: dict[str, int]) -> list[str]:
    hub = shared.hub
    states = Counter(run.view.state for run in hub.runs.values())
    counts = hub.counts
    total = sum(ended.values())
    share: list[Sample] = [({}, ended.get("ok", 0) / total)] if total else []
    return [
        family(
            "nixfleet_runs",
            "gauge",
            "Runs that have not ended, by state.",
            [({"state": state}, states[state]) for state in ("queued", "sent", "running")],
        ),
        family(
            "nixfleet_runs_ended_total",
            "counter",
            "Runs that ended since the start, by command and result.",
            [({"command": c, "result": r}, count) for (c, r), count in sorted(counts.runs.items())],
        ),
        histogram(
            "nixfleet_run_seconds",
            "From a run's beginning to its end.",
            BUCKETS,
            [({"command": c}, d.counts, d.count, d.total) for c, d in sorted(counts.durations.items())],
        ),
        family(
            "nixfleet_deployments",
            "gauge",
            "Deployments of the last 30 days by result.",
            [({"result": result}, count) for result, count in sorted(ended.items())],
        ),
        family("nixfleet_deployment_success_ratio", "gauge", "Share of them that ended as ok.", share),
    ]


def _server(shared: Context, store: float) -> list[str]:
    hub = shared.hub
    counts = hub.counts
    unsafe = sum(run.in_flight[0] for run in hub.runs.values())
    return [
        family("nixfleet_info", "gauge", "The server's version.", [({"version": __version__}, 1)]),
        family("nixfleet_lines_total", "counter", "Lines received.", [({}, counts.lines)]),
        family(
            "nixfleet_records_refused_total",
            "counter",
            "Records that broke a rule and were not kept.",
            [({}, counts.refused_records)],
        ),
        family(
            "nixfleet_connections",
            "gauge",
            "Sockets by kind.",
            [
                ({"kind": "agent"}, sum(host.connection is not None for host in hub.hosts.values())),
                ({"kind": "browser"}, len(hub.browsers)),
            ],
        ),
        family(
            "nixfleet_queue_depth",
            "gauge",
            "What waits: work of the store and the log writer, lines not durable yet.",
            [
                ({"queue": "store"}, hub.db.waiting),
                ({"queue": "logs"}, hub.logs.waiting),
                ({"queue": "lines"}, unsafe),
            ],
        ),
        family(
            "nixfleet_loop_lag_seconds", "gauge", "How late the last tick was.", [({}, shared.ticker.lag)]
        ),
        family("nixfleet_store_seconds", "gauge", "How long one question to the store took.", [({}, store)]),
        family("nixfleet_logs_writable", "gauge", "0 while no log can be written.", [({}, not hub.logs.bad)]),
    ]
