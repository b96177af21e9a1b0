"""Hosts in the database. Each function runs inside a transaction that its caller opened."""

import json
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import bindparam, func, update
from sqlmodel import Session, col, select

from nixfleet_protocol import limits
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import Facts
from nixfleet_protocol.messages.fields import HostId
from nixfleet_protocol.validate import read_json
from nixfleet_server.auth.tokens import hash_token, new_token
from nixfleet_server.domain.fleet import order
from nixfleet_server.errors import BadArgument, Refused
from nixfleet_server.store.tables import Host

OPERATORS = ("criticality", "notes", "token_hash", "old_token_hash", "old_token_until")
"""What the operator says of a host; the rest it says itself."""
_NAME = get_args(HostId)[1]


@dataclass(slots=True, kw_only=True)
class HostRecord:
    """What is kept of a host. Times in milliseconds, `interval` in seconds."""

    name: str
    criticality: str
    token_hash: str
    old_token_hash: str | None = None
    old_token_until: int | None = None
    notes: str = ""
    created_at: int | None = None
    last_seen_at: int | None = None
    interval: float = limits.INTERVAL_DEFAULT
    platform: str = "unknown"
    agent_version: str | None = None
    protocol: str | None = None
    compatible: bool = True
    commands: tuple[str, ...] = ()
    facts: Facts | None = None

    def accepts(self, key: str, now: int) -> bool:
        """Whether the token with this hash lets its agent in."""
        return key == self.token_hash or (key == self.old_token_hash and self.overlap_until(now) is not None)

    def overlap_until(self, now: int) -> int | None:
        """Until when the token before the last rotation works; None when it doesn't any more."""
        until = self.old_token_until
        return until if self.old_token_hash and until is not None and until > now else None


def check_name(name: str) -> None:
    """Raises BadArgument unless a host can have this name."""
    try:
        _NAME.check(name)
    except ValueError:
        raise BadArgument(
            f"not a host name: {ascii(name)[:80]} (at most 63 letters, digits, - and _;"
            " the first and the last a letter or digit)"
        ) from None


def add(session: Session, name: str, criticality: str, now: int, notes: str = "") -> str:
    """Add a host and give its token, which is nowhere else. Raises BadArgument for a bad name, Refused for a taken one."""
    check_name(name)
    taken = session.exec(select(Host).where(func.lower(Host.name) == name.lower())).first()
    if taken:
        raise Refused(
            f"there is a host {taken.name} already; for a new token: nixfleet-server host rotate {taken.name}",
            "host_exists",
        )
    if session.exec(select(func.count()).select_from(Host)).one() >= limits.HOSTS_MAX:
        raise Refused(f"there are {limits.HOSTS_MAX} hosts, the most one server takes", "too_many_hosts")
    token = new_token("nfa_")
    session.add(
        Host(name=name, criticality=criticality, notes=notes, token_hash=hash_token(token), created_at=now)
    )
    return token


def everyone(session: Session) -> list[HostRecord]:
    """All hosts in the order to show them."""
    rows = sorted(session.exec(select(Host)), key=lambda host: order(host.criticality, host.name))
    return [_record(row) for row in rows]


def by_token(session: Session, key: str, now: int) -> HostRecord | None:
    """The host whose token has this hash."""
    query = select(Host).where((Host.token_hash == key) | (Host.old_token_hash == key))
    return next((record for record in map(_record, session.exec(query)) if record.accepts(key, now)), None)


def rotate(session: Session, name: str, until: int | None = None) -> str:
    """Give a host a new token; the old one works until a moment in milliseconds, or no more. Raises Refused when there
    is no such host."""
    host = _get(session, name)
    token = new_token("nfa_")
    host.old_token_hash, host.old_token_until = (host.token_hash if until else None), until
    host.token_hash = hash_token(token)
    session.add(host)
    return token


def revoke(session: Session, name: str) -> None:
    """No token lets the host in any more, until it gets a new one. Raises Refused when there is no such host."""
    rotate(session, name)


def change(session: Session, name: str, *, criticality: str | None, notes: str | None) -> None:
    """Change what the operator says of a host; None leaves it. Raises Refused when there is no such host."""
    host = _get(session, name)
    host.criticality = host.criticality if criticality is None else criticality
    host.notes = host.notes if notes is None else notes
    session.add(host)


def remove(session: Session, name: str) -> None:
    """Remove a host; its history stays. Raises Refused when there is no such host."""
    session.delete(_get(session, name))


def save(session: Session, records: list[HostRecord]) -> None:
    """Write what hosts said of themselves. A host that was removed meanwhile stays removed."""
    name = col(Host.name)
    columns = ("last_seen_at", "interval", "platform", "agent_version", "protocol", "compatible")
    rows = [
        {name: getattr(record, name) for name in columns}
        | {
            "its_name": record.name,
            "commands": json.dumps(record.commands),
            "facts": json.dumps(to_dict(record.facts)) if record.facts else None,
        }
        for record in records
    ]
    # One statement for all: after a restart of ours two hundred hosts register at once.
    session.connection().execute(update(Host).where(name == bindparam("its_name")), rows)


def _record(row: Host) -> HostRecord:
    return HostRecord(
        name=row.name,
        criticality=row.criticality,
        token_hash=row.token_hash,
        old_token_hash=row.old_token_hash,
        old_token_until=row.old_token_until,
        notes=row.notes,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        interval=row.interval,
        platform=row.platform,
        agent_version=row.agent_version,
        protocol=row.protocol,
        compatible=row.compatible,
        commands=tuple(json.loads(row.commands)),
        facts=read_json(Facts, row.facts) if row.facts else None,
    )


def _get(session: Session, name: str) -> Host:
    host = session.exec(select(Host).where(Host.name == name)).first()
    if host is None:
        raise Refused(f"no host {ascii(name)[:80]}; the hosts: nixfleet-server host list", "no_such_host")
    return host
