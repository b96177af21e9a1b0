"""Runs that wait too long or take too long, and what the operator decides about them."""

from typing import TYPE_CHECKING

from nixfleet_protocol.messages import RunView
from nixfleet_server import logging
from nixfleet_server.domain import timeouts
from nixfleet_server.errors import Declined
from nixfleet_server.live.dispatch import send_waiting
from nixfleet_server.live.life import arm, find, give_up
from nixfleet_server.live.run import LiveRun
from nixfleet_server.live.stop import stop
from nixfleet_server.store import runs

if TYPE_CHECKING:
    from nixfleet_server.live.hub import Hub

log = logging.get(__name__)

BY = "time-out"
"""Who started a stop that nobody asked for."""


def look(hub: "Hub") -> None:
    """See to all runs whose time is over, and to those that could not be sent."""
    now = hub.monotonic()
    for host in hub.hosts.values():
        if host.send_again is not None and host.send_again <= now:
            host.send_again = None
            hub.spawn(send_waiting(hub, host))
    for run in list(hub.runs.values()):
        if run.due is None or run.due > now or run.ending is not None or not run.committed:
            continue
        if run.view.state == "queued":
            run.due = None
            give_up(hub, run, "expired", f"{run.view.host_id} did not connect in time; it was not started")
        else:
            run.due = now + run.stop_again
            run.stop_again = min(2 * run.stop_again, timeouts.STOP_AGAIN_MOST)
            hub.spawn(_time_out(hub, run))


async def choose(hub: "Hub", run_id: str, action: str, seconds: float | None, who: str) -> RunView:
    """What the operator says about a run that takes long. Raises Declined."""
    if action == "stop":
        return await stop(hub, run_id, who)
    run = await find(hub, run_id)
    if run is None:
        raise Declined("no_such_run", "there is no such run; the newest: nixfleet runs")
    view = run.view
    if view.state != "running":
        raise Declined("not_running", f"this run is {view.state}: only one under way takes time")
    if view.options.timeout is not None:
        raise Declined(
            "invalid",
            "this run was started with a time-out of its own, which its host keeps; stop it, or let it end",
        )
    if action == "ignore":
        times: tuple[int | None, int | None] = (None, None)
    elif seconds == 0:
        raise Declined("invalid", "seconds: expected more than 0")
    else:
        usual = hub.timeouts.get(view.command)
        more = seconds or (usual.warn if usual else 0) or 300.0
        times = timeouts.longer(view, more, hub.now())
    changed = await hub.db.write(lambda session: runs.set_times(session, run_id, *times))
    if changed is not None and run.view.state == "running":
        run.view = changed
        run.stop_again = timeouts.STOP_AGAIN_FIRST
        arm(hub, run)
        log.info("run's time changed", run=run_id, action=action, by=who)
        hub.run_changed(run)
    return run.snapshot()


async def _time_out(hub: "Hub", run: LiveRun) -> None:
    view = run.view
    await hub.db.write(lambda session: runs.time_out(session, view.run_id))
    if run.view.timeout_at is None or run.ending is not None:
        return  # the operator, or the run itself, was faster
    log.warning("run takes too long: it is told to stop", run=view.run_id, host=view.host_id)
    try:
        await stop(hub, view.run_id, BY, "its time is over")
    except Declined as declined:  # tried again, as after a restart of ours
        log.warning("run can't be stopped", run=view.run_id, host=view.host_id, reason=str(declined))
