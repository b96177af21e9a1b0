"""Runs that wait for their host: one is sent when it is connected and free, in the order they were asked for."""

from dataclasses import replace
from typing import TYPE_CHECKING

from nixfleet_protocol.states import next_state
from nixfleet_server import logging
from nixfleet_server.domain.runs import OFFERED_IF_INCOMPATIBLE
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.life import arm, give_up
from nixfleet_server.store import runs

if TYPE_CHECKING:
    from nixfleet_server.live.hub import Hub

log = logging.get(__name__)


AGAIN = 5.0
"""Seconds until a run that could not be sent, for want of room on the disk say, is tried again."""


async def send_next(hub: "Hub", host: LiveHost) -> None:
    """Send the host the first run of its queue, if it can take one now."""
    connection = host.connection
    if connection is None or not connection.ready or host.run is not None or hub.leaving:
        return
    run = next((run for run in host.queue if run.committed and run.ending is None), None)
    if run is None:
        return
    view = run.view
    if view.command not in host.record.commands or not (
        host.record.compatible or view.command in OFFERED_IF_INCOMPATIBLE
    ):
        give_up(hub, run, "rejected", f"{host.name} can't {view.command}")  # whose end calls us again
        return
    # Before the first await, so that nobody else sends it, or something else, meanwhile.
    host.queue.remove(run)
    host.run = run
    run.view = replace(view, state=next_state(view.state, "send"), expires_at=None)
    run.facts_before = host.record.facts
    run.due = None
    try:
        await hub.db.write(lambda session: runs.send(session, view.run_id))
    except BaseException:
        run.view, host.run = view, None
        host.queue.insert(0, run)
        arm(hub, run)
        host.send_again = hub.monotonic() + AGAIN
        raise
    log.info("queued run sent", run=view.run_id, host=host.name, command=view.command)
    if host.connection is connection and view.run_id not in connection.runs:
        connection.command(run.view)  # else it is sent, or will be, when the host registers
    hub.run_changed(run)
