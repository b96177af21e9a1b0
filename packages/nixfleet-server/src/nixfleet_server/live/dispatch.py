"""An operator asks for a run."""

import secrets

from nixfleet_protocol.messages import Options, RunView
from nixfleet_protocol.states import COMMANDS, next_state
from nixfleet_server import logging
from nixfleet_server.domain.runs import OFFERED_IF_INCOMPATIBLE, option_problem
from nixfleet_server.errors import Declined
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.life import admit, drop, find, occupies
from nixfleet_server.live.run import LiveRun
from nixfleet_server.store import runs

log = logging.get(__name__)


async def dispatch(hub: Hub, host_id: str, command: str, options: Options, started_by: str) -> RunView:
    """Start a command on a host. Returns once the run is on the disk and on its way to the agent.

    Raises Declined when it can't be started.
    """
    host = find_host(hub, host_id)
    _check(hub, host, command, options)
    view = RunView(
        run_id=secrets.token_hex(16),
        host_id=host.name,
        command=command,
        options=options,
        state=next_state("queued", "send"),
        started_by=started_by,
        created_at=hub.now(),
    )
    run = LiveRun(view, committed=False)
    admit(hub, run)  # before the first await: a second command must find the host busy
    try:
        await hub.db.write(lambda session: runs.add(session, view))
    except BaseException:
        drop(hub, run)
        raise
    run.committed = True
    log.info("run started", run=view.run_id, host=host.name, command=command, by=started_by)
    if host.connection and host.connection.ready:
        host.connection.command(view)
    hub.run_changed(run)
    return run.snapshot()


async def stop(hub: Hub, run_id: str, started_by: str) -> RunView:
    """Stop a run, by a run of its own. Raises Declined when there is no such run, or it has ended."""
    run = await find(hub, run_id)
    if run is None:
        raise Declined("no_such_run", "there is no such run; the newest: nixfleet runs")
    if run.view.state == "ended":
        raise Declined("not_running", f"this run has ended already: {run.view.result}")
    options = Options(target=run_id)
    return await dispatch(hub, run.view.host_id, "stop", options, started_by)


def find_host(hub: Hub, host_id: str) -> LiveHost:
    """A host by its id. Raises Declined."""
    host = hub.hosts.get(host_id)
    if host is None:
        raise Declined("no_such_host", "there is no such host; the hosts: nixfleet hosts")
    return host


def _check(hub: Hub, host: LiveHost, command: str, options: Options) -> None:
    if command not in COMMANDS:
        raise Declined("unknown_command", f"command: expected one of {', '.join(sorted(COMMANDS))}")
    problem = option_problem(command, options)
    if problem:
        raise Declined("invalid", problem)
    if options.queue:
        raise Declined(
            "not_supported", "options.queue: this server can't keep a command for later yet; leave it out"
        )
    if hub.leaving:
        raise Declined("shutting_down", "the server is about to restart: try again in a few seconds")
    if host.connection is None or not host.connection.ready:
        raise Declined("host_offline", f"{host.name} is not connected; nothing was started")
    if not host.record.compatible and command not in OFFERED_IF_INCOMPATIBLE:
        raise Declined(
            "unsupported_command",
            f"the agent of {host.name} speaks protocol {host.record.protocol}, which this server does not:"
            " only update is possible",
        )
    if command not in host.record.commands:
        able = ", ".join(host.record.commands) or "nothing"
        raise Declined("unsupported_command", f"{host.name} can't {command}; it can: {able}")
    if host.run is not None and occupies(command):
        busy = host.run.view
        raise Declined("host_busy", f"{busy.command} runs on {host.name} already: run {busy.run_id}")
