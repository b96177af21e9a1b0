"""The life of a run at the server: admitted, begun, ended once. Every change is on the disk before it is told."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nixfleet_protocol import limits
from nixfleet_protocol.messages import RunView, Status
from nixfleet_protocol.states import COMMANDS
from nixfleet_server import logging
from nixfleet_server.domain import checks, events, timeouts
from nixfleet_server.live.run import LiveRun
from nixfleet_server.store import outbox, runs

if TYPE_CHECKING:
    from nixfleet_server.live.hub import Hub

log = logging.get(__name__)

UNHEARD = "stopped before its host heard of it"


async def find(hub: "Hub", run_id: str) -> LiveRun | None:
    """A run by its id, under way or ended; None when there is none."""
    live = hub.runs.get(run_id)
    if live is not None and live.committed:
        return live
    view = await hub.db.read(lambda session: runs.get(session, run_id))
    return LiveRun(view, view.lines) if view else None


def occupies(command: str) -> bool:
    """Whether the command keeps its host busy. One of a later version counts as an ordinary one."""
    return command not in COMMANDS or not COMMANDS[command].always


def admit(hub: "Hub", run: LiveRun) -> None:
    """A run is under way, or in its host's queue."""
    hub.runs[run.view.run_id] = run
    host = hub.hosts.get(run.view.host_id)
    if host is None:
        return
    queued = run.view.state == "queued"
    if queued and run not in host.queue:
        host.queue.append(run)
    elif not queued and run in host.queue:
        host.queue.remove(run)
    if not queued and occupies(run.view.command):
        host.run = run
    if run.due is None:  # hosts are loaded again and again, which is no reason to look at a run sooner
        arm(hub, run)


def drop(hub: "Hub", run: LiveRun) -> None:
    """A run is no longer under way: it has ended, or could not be committed."""
    hub.runs.pop(run.view.run_id, None)
    hub.logs.close(run.view.run_id)
    host = hub.hosts.get(run.view.host_id)
    if host is None:
        return
    if host.run is run:
        host.run = None
    if run in host.queue:
        host.queue.remove(run)


def arm(hub: "Hub", run: LiveRun) -> None:
    """Set when the run is looked at next. The wall clock says when; waiting for it is by the one that never jumps."""
    at = run.view.expires_at if run.view.state == "queued" else run.view.timeout_at
    run.due = None if at is None else hub.monotonic() + (at - hub.now()) / 1000


def begin(hub: "Hub", run: LiveRun, status: Status) -> None:
    """The agent says that the run began; saying so again changes nothing."""
    run.pid = status.pid or run.pid
    run.withheld = False
    if run.view.state in ("queued", "sent"):
        hub.spawn(_begin(hub, run, status.at))
    else:
        hub.run_changed(run)


def finish(hub: "Hub", run: LiveRun, status: Status) -> None:
    """End a run, once its log is durable: a run ends once, so only the first result counts."""
    if run.ending is None:
        run.ending = status
        hub.spawn(_settle(hub, run, status))


def give_up(hub: "Hub", run: LiveRun, result: str, message: str) -> None:
    """End a run by our own word, since its agent can't be asked."""
    view = run.view
    log.warning("run given up", run=view.run_id, host=view.host_id, reason=message)
    status = Status(run_id=view.run_id, command=view.command, status=result, at=hub.now(), message=message)
    finish(hub, run, status)


async def ended(run: LiveRun) -> RunView:
    """The run as it is once it has ended, or could not be."""
    while run.ending is not None:
        await run.settled.wait()
    return run.snapshot()


async def _begin(hub: "Hub", run: LiveRun, at: int) -> None:
    times = timeouts.at_begin(hub.timeouts, run.view, hub.now())
    view: RunView | None = await hub.db.write(
        lambda session: runs.begin(session, run.view.run_id, at, *times)
    )
    if view is not None and run.view.state != "ended":
        run.view = view
        admit(hub, run)  # one that was still queued here, as after a restored backup, is that no more
        arm(hub, run)
        hub.run_changed(run)


async def _settle(hub: "Hub", run: LiveRun, status: Status) -> None:
    run_id = run.view.run_id
    try:
        await run.durable_through(run.received)
        lines, now = run.received, hub.now()
        status = _judged(run, await _unheard(hub, run, status))
        view = await hub.db.write(
            partial(_end, run_id=run_id, status=status, lines=lines, now=now, tell=hub.tells)
        )
    except BaseException:
        run.settle()
        host = hub.hosts.get(run.view.host_id)
        if host and host.connection:  # so that the agent sends it again when it comes back
            host.connection.close(1013, "the result could not be kept: send it again")
        raise
    drop(hub, run)
    if view is not None:
        run.view = view
    run.settle()
    if view is None:
        return
    log.info(
        "run ended", run=run_id, host=view.host_id, command=view.command, result=view.result, lines=lines
    )
    host = hub.hosts.get(view.host_id)
    if host:
        if view.command != "stop":  # it only says that it stopped another
            host.last_run = view
        if host.connection:
            host.connection.acknowledge(run_id, lines, ended=True)
    hub.run_changed(run)
    hub.run_ended(run)


async def _unheard(hub: "Hub", stop: LiveRun, status: Status) -> Status:
    """The status of a stop; where it found nothing to stop, of a run that was withheld for it, that run is over as well."""
    target = hub.runs.get(stop.view.options.target or "")
    if target is None or not target.withheld or target.view.host_id != stop.view.host_id:
        return status
    if status.status != "failed":
        return status
    give_up(hub, target, "stopped", UNHEARD)
    if (await ended(target)).state != "ended":  # else it would be sent once nothing is known of its stop
        raise OSError("the end of the run that was to be stopped could not be kept")
    return replace(status, status="ok", exit_code=0, message=UNHEARD)


def _end(session: Any, run_id: str, status: Status, lines: int, now: int, *, tell: bool) -> RunView | None:
    view = runs.end(session, run_id, status, lines, now)
    event = events.of_run(view) if tell and view is not None else None
    if event is not None:
        outbox.add(session, *event, now)
    return view


def _judged(run: LiveRun, status: Status) -> Status:
    """The status with what the checks make of it in its message."""
    words = checks.after(run.view.command, run.view.options, run.facts_before, status)
    if not words or (words == checks.GOAL_ACHIEVED and status.message):
        return status
    text = f"{status.message}; {words}" if status.message else words
    return replace(status, message=text[: limits.TEXT_MAX])
