"""An agent registers: settle between its journals and our table which run goes on where."""

from functools import partial
from typing import TYPE_CHECKING

from nixfleet_protocol import limits
from nixfleet_protocol.messages import HeldRun, KnownRun, Register, Registered, RunView
from nixfleet_protocol.versions import CAPABILITIES
from nixfleet_server import logging
from nixfleet_server.__about__ import __version__
from nixfleet_server.domain.flapping import flapping, replaced
from nixfleet_server.domain.runs import OFFERED_IF_INCOMPATIBLE, Decision, Known, at_register
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.life import admit, give_up
from nixfleet_server.live.queue import send_next
from nixfleet_server.live.run import LiveRun
from nixfleet_server.store import runs

if TYPE_CHECKING:
    from nixfleet_server.live.agent import AgentConnection

log = logging.get(__name__)


async def register(connection: "AgentConnection", message: Register) -> None:
    """Answer `register`. Afterwards the connection is ready, unless another replaced it meanwhile."""
    hub, host = connection.hub, connection.host
    if hub.hosts.get(host.name) is not host:
        connection.dismiss("removed", "this host was removed from the fleet")
        return
    if not host.record.accepts(connection.key, hub.now()):
        connection.dismiss("revoked", "this host has a new token")
        return
    if host.connection is not None:
        _replace(host, hub.monotonic())
    host.connection = connection
    new = host.record.last_seen_at is None
    _describe(connection, message)
    listed = {run.run_id: run for run in message.runs}
    if new:
        await hub.save()  # that it ever came must not be lost
    else:
        hub.save_soon()
    ended = await _look_up(connection, listed)
    if host.connection is not connection:
        return
    # From here on without await: what is decided is what is sent.
    table = {run_id: Known(view.host_id, view.state) for run_id, view in ended.items()}
    table |= {run.view.run_id: Known(run.view.host_id, run.view.state) for run in hub.runs.values()}
    own = [
        run.view
        for run in hub.runs.values()
        if run.committed and not run.ending and run.view.host_id == host.name
    ]
    decisions = at_register(host.name, listed.values(), table, own, hub.now())
    held = []
    for decision in decisions:
        run = hub.runs.get(decision.run_id)
        if decision.action == "forget" and table[decision.run_id].host_id != host.name:
            log.warning("agent listed another host's run", host=host.name, run=decision.run_id)
        if decision.run_id in listed:
            held.append(_held(decision, run, ended.get(decision.run_id)))
        if run and run.view.host_id == host.name:
            run.withheld = decision.action == "withhold"
        if decision.action in ("follow", "withhold"):
            connection.runs.add(decision.run_id)
        elif decision.action == "end" and run:
            give_up(hub, run, decision.result, decision.message)
    assert connection.end.agreement is not None
    version, compatible = connection.end.agreement
    connection.send(
        Registered(
            host_id=host.name,
            protocol=str(version),
            server_version=__version__,
            at=hub.now(),
            compatible=compatible,
            capabilities=tuple(word for word in CAPABILITIES if word in message.capabilities),
            runs=tuple(held),
        )
    )
    connection.ready = True
    for decision in decisions:
        run = hub.runs.get(decision.run_id)
        if (
            decision.action == "resend"
            and run
            and (compatible or run.view.command in OFFERED_IF_INCOMPATIBLE)
        ):
            log.info("command sent again", host=host.name, run=decision.run_id, command=run.view.command)
            connection.command(run.view)
    log.info("agent registered", host=host.name, agent_version=message.agent_version, compatible=compatible)
    hub.host_changed(host)
    hub.spawn(send_next(hub, host))


def _replace(host: LiveHost, now: float) -> None:
    assert host.connection is not None
    host.connection.dismiss("replaced", "the same token connected again; this connection is replaced")
    before = flapping(host.turns, now)
    host.turns = replaced(host.turns, now - host.heard, now)
    if flapping(host.turns, now) and not before:
        log.warning("two agents take turns with one host's token", host=host.name)


def _describe(connection: "AgentConnection", message: Register) -> None:
    host, record = connection.host, connection.host.record
    if message.hostname != host.name:
        log.warning(
            "agent calls itself otherwise; its token decides", host=host.name, hostname=message.hostname
        )
    assert connection.end.agreement is not None
    record.interval, record.platform = message.interval, message.platform
    record.agent_version, record.protocol = message.agent_version, message.protocol
    record.compatible = connection.end.agreement.compatible
    record.commands, record.facts = message.commands, message.facts
    record.last_seen_at = connection.hub.now()
    host.heard = connection.hub.monotonic()
    host.metrics = None
    host.unsaved = True


async def _look_up(connection: "AgentConnection", listed: dict[str, KnownRun]) -> dict[str, RunView]:
    """Rows of the listed runs that aren't under way; those without a row are adopted, and then are."""
    hub, name = connection.hub, connection.host.name
    strangers = [run_id for run_id in listed if run_id not in hub.runs]
    if not strangers:
        return {}
    rows = {view.run_id: view for view in await hub.db.read(lambda session: runs.several(session, strangers))}
    refused = 0
    for run_id in strangers:
        row = rows.get(run_id)
        if row is not None and (row.state == "ended" or row.host_id != name):
            continue
        if row is None:
            if connection.host.adopted >= limits.ADOPTED_MAX:
                refused += 1  # it is answered as ended, so that the agent forgets it
                continue
            connection.host.adopted += 1
        view = row or _adopted(name, listed[run_id], hub.now())
        run = LiveRun(view, await hub.logs.recover(run_id))
        if row is None:
            await hub.db.write(partial(runs.add, run=view))
            log.warning("run adopted that only the agent knew", host=name, run=run_id, command=view.command)
        admit(hub, run)
        hub.run_changed(run)
    if refused:
        log.warning("agent lists more unknown runs than are adopted", host=name, runs=refused)
    return rows


def _adopted(host_id: str, known: KnownRun, now: int) -> RunView:
    return RunView(
        run_id=known.run_id,
        host_id=host_id,
        command=known.command,
        state="running",
        started_by="agent",
        created_at=now,
        started_at=now,
    )


def _held(decision: Decision, run: LiveRun | None, ended: RunView | None) -> HeldRun:
    if decision.action == "follow" and run:
        return HeldRun(run_id=decision.run_id, have=run.durable)
    return HeldRun(run_id=decision.run_id, have=ended.lines if ended else 0, ended=True)
