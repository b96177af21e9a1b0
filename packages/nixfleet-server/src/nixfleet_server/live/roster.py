"""The hub's hosts become those of the database, whoever changed it: this server, or `nixfleet-server` beside it."""

from functools import partial
from typing import TYPE_CHECKING

from nixfleet_server import logging
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.life import admit, give_up
from nixfleet_server.store import hosts, runs

if TYPE_CHECKING:
    from nixfleet_server.live.hub import Hub

log = logging.get(__name__)


async def take(hub: "Hub") -> None:
    """Add, remove and change hosts as the database says; their runs follow. One at a time: `Hub.load_hosts`."""
    records = {record.name: record for record in await hub.db.read(hosts.everyone)}
    for name in [name for name in hub.hosts if name not in records]:
        _removed(hub, hub.hosts.pop(name))
    for name, record in records.items():
        known = hub.hosts.get(name)
        if known is None:
            last = await hub.db.read(partial(runs.last_of, host=name))
            hub.hosts.setdefault(name, LiveHost(record, last))
            hub.host_changed(hub.hosts[name])
        else:
            _changed(hub, known, record)
    hub.hosts = {name: hub.hosts[name] for name in records if name in hub.hosts}
    for run in list(hub.runs.values()):
        host = hub.hosts.get(run.view.host_id)
        if host is None:
            give_up(hub, run, "lost", "the host was removed")
        else:
            admit(hub, run)


def _removed(hub: "Hub", host: LiveHost) -> None:
    log.info("host removed", host=host.name)
    if host.connection:
        host.connection.dismiss("removed", "this host was removed from the fleet")
    hub.host_changed(host)


def _changed(hub: "Hub", host: LiveHost, found: hosts.HostRecord) -> None:
    changed = [name for name in hosts.OPERATORS if getattr(host.record, name) != getattr(found, name)]
    for name in changed:
        setattr(host.record, name, getattr(found, name))
    if changed:
        log.info("host changed", host=host.name, what=changed)
        hub.check_token(host)
        hub.host_changed(host)
