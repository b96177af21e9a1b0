"""The routes about runs on many hosts, time-outs and history. `routes` puts them into the one table."""

from nixfleet_protocol import limits
from nixfleet_protocol.messages import RunView, fleet
from nixfleet_server.api import backup, idempotent, metrics, runs, search
from nixfleet_server.api.rules import API, Query, Rule

DISPATCH = (
    "no_such_host",
    "unknown_command",
    "shutting_down",
    "host_offline",
    "unsupported_command",
    "already_current",
    "host_busy",
    "queue_full",
)
"""What can keep a command from being started."""
STOP = ("no_such_run", "not_running", "no_such_host", "shutting_down", "unsupported_command")
"""What can keep a run from being stopped: not that its host is away."""

RULES: tuple[Rule, ...] = (
    Rule(
        "GET", f"{API}/backup", "admin", backup.show, action="backup", problems=("busy",), media=backup.MEDIA
    ),
    Rule("GET", "/metrics", "read", metrics.prometheus, media="text/plain"),
    Rule("GET", f"{API}/stats", "read", metrics.stats, fleet.FleetStats),
    Rule(
        "GET",
        f"{API}/hosts/{{host_id}}/metrics",
        "read",
        metrics.show,
        fleet.MetricsHistory,
        problems=("no_such_host",),
    ),
    Rule(
        "POST",
        f"{API}/runs",
        "operate",
        runs.begin,
        fleet.BulkView,
        fleet.BulkRequest,
        "run.bulk",
        201,
        ("unknown_command", "shutting_down", "queue_full", "no_such_bulk", *idempotent.PROBLEMS),
        headers=(idempotent.HEADER,),
    ),
    Rule(
        "GET", f"{API}/bulk/{{bulk_id}}", "read", runs.show_bulk, fleet.BulkView, problems=("no_such_bulk",)
    ),
    Rule(
        "POST",
        f"{API}/bulk/{{bulk_id}}/stop",
        "operate",
        runs.end_bulk,
        fleet.BulkView,
        action="bulk.stop",
        problems=("no_such_bulk",),
    ),
    Rule(
        "GET",
        f"{API}/runs/{{run_id}}/search",
        "read",
        search.show,
        fleet.LogSearch,
        problems=("no_such_run", "log_removed", "too_many_searches"),
        query=(
            Query("q", "the words, whatever their case"),
            Query("from", "the first record wanted", 0, limits.SEQ_MAX),
            Query("limit", "at most so many records", 1, search.LIMIT_MAX),
        ),
    ),
    Rule(
        "POST",
        f"{API}/runs/{{run_id}}/timeout",
        "operate",
        runs.decide,
        RunView,
        fleet.TimeoutChoice,
        "run.timeout",
        problems=("invalid", *STOP),
    ),
)
