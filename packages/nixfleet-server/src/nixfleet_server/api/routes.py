"""Every route of the API with what it takes to be let in. What is not in this table does not exist."""

from starlette.routing import Route

from nixfleet_protocol import limits
from nixfleet_protocol.messages import RunView, api, fleet
from nixfleet_protocol.messages.browser import HostView
from nixfleet_server.api import access_rules, fleet_rules, health, hosts, idempotent, log, openapi, runs
from nixfleet_server.api.fleet_rules import DISPATCH, STOP
from nixfleet_server.api.guarded import guarded
from nixfleet_server.api.rules import API, Query, Rule

_LIMIT = Query("limit", "at most so many", 1, 1000)

RULES: tuple[Rule, ...] = (
    Rule("GET", "/livez", None, health.live, media="application/json"),
    Rule("GET", "/readyz", None, health.ready, media="application/json", or_status=503),
    Rule("GET", f"{API}/openapi.json", "read", openapi.show, media="application/json"),
    *access_rules.RULES,
    # Hosts
    Rule("GET", f"{API}/hosts", "read", hosts.everyone, api.HostList),
    Rule(
        "POST",
        f"{API}/hosts",
        "admin",
        hosts.add,
        fleet.HostToken,
        fleet.HostRequest,
        "host.add",
        201,
        ("host_exists", "too_many_hosts"),
    ),
    Rule(
        "PATCH",
        f"{API}/hosts/{{host_id}}",
        "admin",
        hosts.change,
        HostView,
        fleet.HostChange,
        "host.change",
        problems=("no_such_host",),
    ),
    Rule(
        "DELETE",
        f"{API}/hosts/{{host_id}}",
        "admin",
        hosts.remove,
        action="host.remove",
        status=204,
        problems=("no_such_host",),
    ),
    Rule(
        "POST",
        f"{API}/hosts/{{host_id}}/token",
        "admin",
        hosts.rotate,
        fleet.HostToken,
        fleet.TokenRotation,
        "host.rotate",
        201,
        ("no_such_host",),
    ),
    Rule(
        "DELETE",
        f"{API}/hosts/{{host_id}}/token",
        "admin",
        hosts.revoke,
        action="host.revoke",
        status=204,
        problems=("no_such_host",),
    ),
    Rule("GET", f"{API}/hosts/{{host_id}}", "read", hosts.show, HostView, problems=("no_such_host",)),
    Rule(
        "POST",
        f"{API}/hosts/{{host_id}}/runs",
        "operate",
        hosts.start,
        RunView,
        api.RunRequest,
        "run.start",
        201,
        ("no_such_run", *DISPATCH, *idempotent.PROBLEMS),
        headers=(idempotent.HEADER,),
    ),
    # Runs
    Rule(
        "GET",
        f"{API}/runs",
        "read",
        runs.newest,
        api.RunList,
        problems=("no_such_host", "no_such_run"),
        query=(_LIMIT, Query("host", "only this host's"), Query("before", "runs older than this one")),
    ),
    Rule("GET", f"{API}/runs/{{run_id}}", "read", runs.show, RunView, problems=("no_such_run",)),
    Rule(
        "GET",
        f"{API}/runs/{{run_id}}/log",
        "read",
        log.show,
        api.LogPage,
        problems=("no_such_run", "log_removed"),
        query=(
            Query("from", "the first record wanted", 0, limits.SEQ_MAX),
            Query("limit", "at most so many records", 1, log.LIMIT_MAX),
            Query("format", "`raw`: the program's own bytes", words=("json", "raw")),
        ),
        media="application/octet-stream",
    ),
    Rule(
        "POST",
        f"{API}/runs/{{run_id}}/stop",
        "operate",
        runs.end,
        RunView,
        action="run.stop",
        status=201,
        problems=("invalid", *STOP),
    ),
    *fleet_rules.RULES,
)


def routes() -> list[Route]:
    """The table as Starlette's routes."""
    return [Route(rule.path, guarded(rule), methods=[rule.method]) for rule in RULES]
