"""Hosts: look, add, change, remove, their tokens; and starting runs on them."""

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.messages import RunView
from nixfleet_protocol.messages.api import HostList, RunRequest
from nixfleet_protocol.messages.fleet import HostChange, HostRequest, HostToken, TokenRotation
from nixfleet_server.api.body import answer, nothing, read_body
from nixfleet_server.api.idempotent import Also, once
from nixfleet_server.api.runs import find
from nixfleet_server.audit import note
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.live.dispatch import dispatch, find_host
from nixfleet_server.store import hosts


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


async def add(request: Request, principal: Principal) -> Response:
    """POST /hosts."""
    hub = context(request).hub
    body = await read_body(request, HostRequest)
    note(request, subject=body.host_id, detail=body.criticality)
    now = hub.now()
    token = await hub.db.write(
        lambda db: hosts.add(db, body.host_id, body.criticality, now, notes=body.notes)
    )
    await hub.load_hosts()
    return answer(HostToken(host_id=body.host_id, token=token), 201)


async def change(request: Request, principal: Principal) -> Response:
    """PATCH /hosts/{id}."""
    hub = context(request).hub
    name = request.path_params["host_id"]
    body = await read_body(request, HostChange)
    words = [body.criticality or "", "notes" if body.notes is not None else ""]
    note(request, detail=" ".join(filter(None, words)))
    await hub.db.write(lambda db: hosts.change(db, name, criticality=body.criticality, notes=body.notes))
    await hub.load_hosts()
    return answer(find_host(hub, name).view(hub.monotonic()))


async def remove(request: Request, principal: Principal) -> Response:
    """DELETE /hosts/{id}: its connection is closed, its runs under way end as `lost`, its history stays."""
    hub = context(request).hub
    name = request.path_params["host_id"]
    await hub.db.write(lambda db: hosts.remove(db, name))
    await hub.load_hosts()
    return nothing()


async def rotate(request: Request, principal: Principal) -> Response:
    """POST /hosts/{id}/token."""
    hub = context(request).hub
    name = request.path_params["host_id"]
    body = await read_body(request, TokenRotation)
    note(request, detail=f"the old token works for {body.overlap} s more")
    until = hub.now() + body.overlap * 1000 if body.overlap else None
    token = await hub.db.write(lambda db: hosts.rotate(db, name, until))
    await hub.load_hosts()
    return answer(HostToken(host_id=name, token=token, overlap_until=until), 201)


async def revoke(request: Request, principal: Principal) -> Response:
    """DELETE /hosts/{id}/token: none of its tokens works any more, its connection is closed."""
    hub = context(request).hub
    name = request.path_params["host_id"]
    await hub.db.write(lambda db: hosts.revoke(db, name))
    await hub.load_hosts()
    return nothing()


async def start(request: Request, principal: Principal) -> Response:
    """POST /hosts/{id}/runs."""
    hub = context(request).hub
    body = await read_body(request, RunRequest)
    await hub.refresh()
    name = request.path_params["host_id"]

    async def begin(also: Also | None) -> RunView:
        return await dispatch(hub, name, body.command, body.options, principal.name, also=also)

    async def again(run_id: str) -> RunView:
        return (await find(hub, run_id)).snapshot()

    note(request, detail=body.command)
    run = await once(request, principal, body, begin, again)
    note(request, run_id=run.run_id)
    return answer(run, 201)
