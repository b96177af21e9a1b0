"""Hosts, and starting runs on them."""

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.messages.api import HostList, RunRequest
from nixfleet_server.api.body import answer, read_body
from nixfleet_server.audit import note
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.live.dispatch import dispatch, find_host


async def everyone(request: Request, principal: Principal) -> Response:
    """GET /hosts."""
    hub = context(request).hub
    await hub.refresh()
    now = hub.monotonic()
    return answer(HostList(hosts=tuple(host.view(now) for host in hub.hosts.values())))


async def show(request: Request, principal: Principal) -> Response:
    """GET /hosts/{id}."""
    hub = context(request).hub
    await hub.refresh()
    return answer(find_host(hub, request.path_params["host_id"]).view(hub.monotonic()))


async def start(request: Request, principal: Principal) -> Response:
    """POST /hosts/{id}/runs."""
    hub = context(request).hub
    body = await read_body(request, RunRequest)
    await hub.refresh()
    run = await dispatch(hub, request.path_params["host_id"], body.command, body.options, principal.name)
    note(request, detail=body.command, run_id=run.run_id)
    return answer(run, 201)
