"""Every route of the API with what it takes to be let in. What is not in this table does not exist."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nixfleet_server.api import health, hosts, log, runs, session
from nixfleet_server.auth.guard import require

API = "/api/v1"


class Rule(NamedTuple):
    """A route. `scope` is the least an API token needs (a session has all); None means public."""

    method: str
    path: str
    scope: str | None
    endpoint: Callable[..., Awaitable[Response]]


RULES = (
    Rule("GET", "/livez", None, health.live),
    Rule("GET", "/readyz", None, health.ready),
    Rule("POST", f"{API}/session", None, session.login),
    Rule("GET", f"{API}/session", "read", session.show),
    Rule("DELETE", f"{API}/session", "read", session.logout),
    Rule("GET", f"{API}/hosts", "read", hosts.everyone),
    Rule("GET", f"{API}/hosts/{{host_id}}", "read", hosts.show),
    Rule("POST", f"{API}/hosts/{{host_id}}/runs", "operate", hosts.start),
    Rule("GET", f"{API}/runs", "read", runs.newest),
    Rule("GET", f"{API}/runs/{{run_id}}", "read", runs.show),
    Rule("GET", f"{API}/runs/{{run_id}}/log", "read", log.show),
    Rule("POST", f"{API}/runs/{{run_id}}/stop", "operate", runs.end),
)


def routes() -> list[Route]:
    """The table as Starlette's routes."""
    return [Route(rule.path, _guarded(rule), methods=[rule.method]) for rule in RULES]


def _guarded(rule: Rule) -> Callable[[Request], Awaitable[Response]]:
    scope = rule.scope
    if scope is None:
        return rule.endpoint
    changes = rule.method not in ("GET", "HEAD")

    async def endpoint(request: Request) -> Response:
        principal = await require(request, scope, changes=changes)
        result: Any = await rule.endpoint(request, principal)
        assert isinstance(result, Response)
        return result

    return endpoint
