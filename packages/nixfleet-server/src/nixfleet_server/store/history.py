"""What hosts measured and how long they were there, in the database. Written in batches by `live.history`."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, func, insert
from sqlmodel import Session, col, delete, select

from nixfleet_protocol import limits
from nixfleet_server.domain.availability import DAYS, Days
from nixfleet_server.store.tables import Host, Metric, PresenceDay, Run

DEPLOYMENTS = ("switch", "pull-switch", "rollback", "update")
NOT_TRIED = ("rejected", "expired")


class Point(NamedTuple):
    """One measurement; `at` in milliseconds by the server's clock."""

    at: int
    cpu: float | None
    ram: float | None
    swap: float | None
    load: float | None


def write(
    session: Session, points: Iterable[tuple[str, Point]], days: Iterable[tuple[str, int, float, float]]
) -> None:
    """Keep new points, and the days as they are now. A few statements, however many hosts there are."""
    new_points = [{"host": host, **point._asdict()} for host, point in points]
    new_days = [
        {"host": host, "day": day, "there": there, "known": known} for host, day, there, known in days
    ]
    connection = session.connection()
    for table, rows, keys in ((Metric, new_points, ("host", "at")), (PresenceDay, new_days, ("host", "day"))):
        if rows:
            its = [col(getattr(table, key)) == bindparam(f"its_{key}") for key in keys]
            connection.execute(
                delete(table).where(*its), [{f"its_{k}": row[k] for k in keys} for row in rows]
            )
            connection.execute(insert(table), rows)


def prune(session: Session, hosts: Sequence[str], before: int, today: int) -> None:
    """Forget what is too old, and hosts that are no more."""
    for host in hosts:
        session.execute(delete(Metric).where(col(Metric.host) == host, col(Metric.at) < before))
    session.execute(delete(PresenceDay).where(col(PresenceDay.day) <= today - DAYS))
    names = select(Host.name)
    session.execute(delete(Metric).where(col(Metric.host).not_in(names)))
    session.execute(delete(PresenceDay).where(col(PresenceDay.host).not_in(names)))


def points(session: Session, host: str, since: int) -> list[Point]:
    """A host's newest points, rising by time."""
    rows = session.exec(
        select(Metric)
        .where(Metric.host == host, Metric.at >= since)
        .order_by(col(Metric.at).desc())
        .limit(limits.POINTS_MAX)
    )
    return [Point(row.at, row.cpu, row.ram, row.swap, row.load) for row in rows][::-1]


def days(session: Session) -> dict[str, Days]:
    """How long each host was there, by day."""
    found: dict[str, Days] = {}
    for row in session.exec(select(PresenceDay)):
        found.setdefault(row.host, {})[row.day] = (row.there, row.known)
    return found


def deployments(session: Session, since: int) -> dict[str, int]:
    """Deployments that ended since, by result; not those that were never tried."""
    query = (
        select(Run.result, func.count())
        .where(
            col(Run.ended_at) >= since,
            col(Run.command).in_(DEPLOYMENTS),
            col(Run.result).not_in(NOT_TRIED),
        )
        .group_by(col(Run.result))
    )
    return {str(result): count for result, count in session.exec(query)}
