"""The life of a run at the server: admitted, begun, ended once. Every change is on the disk before it is told."""

from typing import TYPE_CHECKING

from nixfleet_protocol.messages import RunView, Status
from nixfleet_protocol.states import COMMANDS
from nixfleet_server import logging
from nixfleet_server.live.run import LiveRun
from nixfleet_server.store import runs

if TYPE_CHECKING:
    from nixfleet_server.live.hub import Hub

log = logging.get(__name__)


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
    """A run is under way."""
    hub.runs[run.view.run_id] = run
    host = hub.hosts.get(run.view.host_id)
    if host and occupies(run.view.command):
        host.run = run


def drop(hub: "Hub", run: LiveRun) -> None:
    """A run is no longer under way: it has ended, or could not be committed."""
    hub.runs.pop(run.view.run_id, None)
    hub.logs.close(run.view.run_id)
    host = hub.hosts.get(run.view.host_id)
    if host and host.run is run:
        host.run = None


def begin(hub: "Hub", run: LiveRun, status: Status) -> None:
    """The agent says that the run began; saying so again changes nothing."""
    run.pid = status.pid or run.pid
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


async def _begin(hub: "Hub", run: LiveRun, at: int) -> None:
    view: RunView | None = await hub.db.write(lambda session: runs.begin(session, run.view.run_id, at))
    if view is not None and run.view.state != "ended":
        run.view = view
        hub.run_changed(run)


async def _settle(hub: "Hub", run: LiveRun, status: Status) -> None:
    run_id = run.view.run_id
    try:
        await run.durable_through(run.received)
        lines, now = run.received, hub.now()
        view = await hub.db.write(lambda session: runs.end(session, run_id, status, lines, now))
    except Exception:
        run.ending = None  # the agent sends the result again when it reconnects
        raise
    drop(hub, run)
    if view is None:
        return
    run.view, run.ending = view, None
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
