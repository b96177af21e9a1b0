"""A run is to be ended: by an operator, or because its time is over; also where its host is away."""

from dataclasses import replace

from nixfleet_protocol.messages import Options, RunView
from nixfleet_server.errors import Declined
from nixfleet_server.live.dispatch import dispatch, find_host
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.life import ended, find, give_up


async def stop(hub: Hub, run_id: str, started_by: str, reason: str | None = None) -> RunView:
    """Stop a run, by a run of its own; one that is only queued ends at once, and is what this gives.

    A host that is away is told when it registers, which the answer's `message` says: its run may go on for hours, and who
    wants it ended should not have to sit and wait. Asked for again meanwhile, it is the same stop. Raises Declined when
    there is no such run, it has ended, or is a stop itself.
    """
    run = await find(hub, run_id)
    if run is None:
        raise Declined("no_such_run", "there is no such run; the newest: nixfleet runs")
    if run.view.state == "ended":
        raise Declined("not_running", f"this run has ended already: {run.view.result}")
    if run.view.command == "stop":
        raise Declined(
            "not_running", f"this is the stop of run {run.view.options.target}: it can't be taken back"
        )
    if run.view.state == "queued":
        give_up(hub, run, "stopped", f"taken out of the queue by {started_by}")
        return await ended(run)
    host = find_host(hub, run.view.host_id)
    view = None if host.there else _waiting(hub, run_id)
    if view is None:
        options = Options(target=run_id, reason=reason)
        view = await dispatch(hub, host.name, "stop", options, started_by, when_back=True)
    if host.there:
        return view
    return replace(view, message=f"{host.name} is not connected; it is told as soon as it is back")


def _waiting(hub: Hub, run_id: str) -> RunView | None:
    """The stop of this run that its host has not heard of."""
    waiting = (
        one.snapshot()
        for one in hub.runs.values()
        if one.view.command == "stop" and one.view.options.target == run_id and one.view.state == "sent"
        if one.committed and one.ending is None
    )
    return next(waiting, None)
