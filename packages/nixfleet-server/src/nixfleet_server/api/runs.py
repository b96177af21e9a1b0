"""Runs: list, look, stop, give time; and one command on many hosts."""

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.messages import RunView
from nixfleet_protocol.messages.api import RunList
from nixfleet_protocol.messages.fleet import BulkRequest, TimeoutChoice
from nixfleet_server.api.body import answer, read_body, whole
from nixfleet_server.api.idempotent import once
from nixfleet_server.audit import note
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.errors import Declined
from nixfleet_server.live import life
from nixfleet_server.live.deadlines import choose
from nixfleet_server.live.dispatch import find_host
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.run import LiveRun
from nixfleet_server.live.stop import stop
from nixfleet_server.store import runs

LIMIT_DEFAULT, LIMIT_MAX = 50, 1000


async def newest(request: Request, principal: Principal) -> Response:
    """GET /runs?host=&limit=&before=."""
    hub = context(request).hub
    limit = whole(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
    host, before = request.query_params.get("host"), request.query_params.get("before")
    if before is not None:
        await find(hub, before)
    found = await hub.db.read(lambda session: runs.newest(session, host, limit + 1, before))
    if host is not None and not found and before is None:
        await hub.refresh()
        find_host(hub, host)  # no runs is an answer, a misspelt name is a mistake
    page = tuple(_live(hub, view) for view in found[:limit])
    return answer(RunList(runs=page, next=page[-1].run_id if len(found) > limit else None))


async def show(request: Request, principal: Principal) -> Response:
    """GET /runs/{id}."""
    run = await find(context(request).hub, request.path_params["run_id"])
    return answer(run.snapshot())


async def end(request: Request, principal: Principal) -> Response:
    """POST /runs/{id}/stop."""
    run = await stop(context(request).hub, request.path_params["run_id"], principal.name)
    note(request, subject=run.host_id, detail=run.command, run_id=request.path_params["run_id"])
    return answer(run, 201)


async def decide(request: Request, principal: Principal) -> Response:
    """POST /runs/{id}/timeout."""
    body = await read_body(request, TimeoutChoice)
    hub, run_id = context(request).hub, request.path_params["run_id"]
    note(request, subject=run_id, detail=body.action, run_id=run_id)
    return answer(await choose(hub, run_id, body.action, body.seconds, principal.name))


async def begin(request: Request, principal: Principal) -> Response:
    """POST /runs: one command on many hosts."""
    shared = context(request)
    body = await read_body(request, BulkRequest)
    await shared.hub.refresh()
    note(request, detail=f"{body.command} on {len(body.hosts)} hosts")
    bulk = await once(
        request,
        principal,
        body,
        lambda also: shared.bulks.begin(body, principal.name, also),
        shared.bulks.show,
    )
    note(request, subject=bulk.bulk_id)
    return answer(bulk, 201)


async def show_bulk(request: Request, principal: Principal) -> Response:
    """GET /bulk/{id}."""
    return answer(await context(request).bulks.show(request.path_params["bulk_id"]))


async def end_bulk(request: Request, principal: Principal) -> Response:
    """POST /bulk/{id}/stop."""
    bulk = await context(request).bulks.stop(request.path_params["bulk_id"], principal.name)
    note(request, subject=bulk.bulk_id, detail=f"{bulk.command} on {len(bulk.items)} hosts")
    return answer(bulk)


async def find(hub: Hub, run_id: str) -> LiveRun:
    """A run by its id. Raises Declined."""
    run = await life.find(hub, run_id)
    if run is None:
        raise Declined("no_such_run", "there is no such run; the newest: nixfleet runs")
    return run


def _live(hub: Hub, view: RunView) -> RunView:
    run = hub.runs.get(view.run_id)
    return run.snapshot() if run else view
