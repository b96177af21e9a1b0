"""An operator asks for a run."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import DatabaseError

from nixfleet_protocol.messages import Options, RunView
from nixfleet_protocol.states import COMMANDS
from nixfleet_server import logging
from nixfleet_server.domain import checks
from nixfleet_server.domain.runs import OFFERED_IF_INCOMPATIBLE, QUEUE_SECONDS, option_problem
from nixfleet_server.errors import Declined
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.life import admit, drop, occupies
from nixfleet_server.live.queue import send_next
from nixfleet_server.live.run import LiveRun
from nixfleet_server.store import runs

log = logging.get(__name__)

QUEUE_MAX = 32
"""Runs that may wait for one host: more is a script that runs wild."""


async def dispatch(
    hub: Hub,
    host_id: str,
    command: str,
    options: Options,
    started_by: str,
    *,
    bulk_id: str | None = None,
    also: Callable[[Any, str], None] | None = None,
    when_back: bool = False,
) -> RunView:
    """Start a command on a host. Returns once the run is on the disk and on its way to the agent, or in the queue.

    `also(session, run_id)` writes in the run's own transaction; `when_back`: a host that is away gets it when it registers.
    Raises Declined when it can't be started.
    """
    host = find_host(hub, host_id)
    if command == "stop" and options.target is None and host.run is not None:
        # Should it have to be sent again, something else may run by then.
        options = replace(options, target=host.run.view.run_id)
    waits = _check(hub, host, command, options, when_back=when_back)
    found = checks.before(command, options, host.record.facts)
    if found and found.refused:
        raise Declined("already_current", f"{host.name}: {found.text}")
    now = hub.now()
    view = RunView(
        run_id=secrets.token_hex(16),
        host_id=host.name,
        command=command,
        options=options,
        state="queued" if waits else "sent",
        message=f"{found.word}: {found.text}" if found else "",
        started_by=started_by,
        created_at=now,
        bulk_id=bulk_id,
        expires_at=now + int((options.expires or QUEUE_SECONDS) * 1000) if waits else None,
    )
    run = LiveRun(view, committed=False)
    run.facts_before = host.record.facts
    admit(hub, run)  # before the first await: a second command must find the host busy

    def write(session: Any) -> None:
        runs.add(session, view)
        if also is not None:
            also(session, view.run_id)

    try:
        await hub.db.write(write)
    except BaseException:
        drop(hub, run)
        hub.spawn(send_waiting(hub, host))  # what came meanwhile waited for it
        raise
    run.committed = True
    log.info(
        "run queued" if waits else "run started",
        run=view.run_id,
        host=host.name,
        command=command,
        by=started_by,
    )
    if not waits and host.connection and host.there:
        host.connection.command(view)
    hub.run_changed(run)
    if waits:
        await send_waiting(hub, host)  # it may have connected, or become free, meanwhile
    return run.snapshot()


async def send_waiting(hub: Hub, host: LiveHost) -> None:
    """`send_next`, which may fail: the run stays in the queue, and who asked for it must not hear that it isn't there,
    and ask again."""
    try:
        await send_next(hub, host)
    except DatabaseError as error:
        log.warning("a queued run could not be sent yet", host=host.name, reason=str(error.orig))


def find_host(hub: Hub, host_id: str) -> LiveHost:
    """A host by its id. Raises Declined."""
    host = hub.hosts.get(host_id)
    if host is None:
        raise Declined("no_such_host", "there is no such host; the hosts: nixfleet hosts")
    return host


def _check(hub: Hub, host: LiveHost, command: str, options: Options, *, when_back: bool) -> bool:
    """Whether the run has to wait in the host's queue. Raises Declined when it can't be started at all."""
    if command not in COMMANDS:
        raise Declined("unknown_command", f"command: expected one of {', '.join(sorted(COMMANDS))}")
    problem = option_problem(command, options)
    if problem:
        raise Declined("invalid", problem)
    if hub.leaving:
        raise Declined("shutting_down", "the server is about to restart: try again in a few seconds")
    there = host.there
    if not there and not options.queue and not when_back:
        raise Declined("host_offline", f"{host.name} is not connected; nothing was started")
    if there or host.record.commands:  # of a host that never connected nobody knows
        unable = inability(host, command)
        if unable:
            raise Declined("unsupported_command", unable)
    if not occupies(command):
        return False
    if not options.queue and host.run is not None:
        busy = host.run.view
        raise Declined("host_busy", f"{busy.command} runs on {host.name} already: run {busy.run_id}")
    if options.queue and len(host.queue) >= QUEUE_MAX:
        raise Declined("queue_full", f"{QUEUE_MAX} runs wait for {host.name} already")
    return not there or host.run is not None or (options.queue and bool(host.queue))


def inability(host: LiveHost, command: str) -> str:
    """Why the host can't do the command, in words; "" if it can."""
    if not host.record.compatible and command not in OFFERED_IF_INCOMPATIBLE:
        return (
            f"the agent of {host.name} speaks protocol {host.record.protocol}, which this server does not:"
            " only update is possible"
        )
    if command not in host.record.commands:
        able = ", ".join(host.record.commands) or "nothing"
        return f"{host.name} can't {command}; it can: {able}"
    return ""
