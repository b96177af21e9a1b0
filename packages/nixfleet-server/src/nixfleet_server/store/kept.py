"""Which logs there are, in the database."""

from sqlmodel import Session, col, select, update

from nixfleet_server.domain.retention import Kept
from nixfleet_server.store.tables import Run


def to_pack(session: Session, before: int, most: int) -> list[str]:
    """Runs that ended before then and whose log is not packed, oldest first."""
    query = (
        select(Run.run_id)
        .where(Run.state == "ended", col(Run.log_bytes).is_(None), col(Run.ended_at) < before)
        .order_by(col(Run.id))
        .limit(most)
    )
    return list(session.exec(query))


def packed(session: Session, run_id: str, size: int) -> None:
    """The log takes so many bytes now."""
    session.execute(update(Run).where(col(Run.run_id) == run_id).values(log_bytes=size))


def newest_first(session: Session) -> list[Kept]:
    """All packed logs that are there."""
    query = (
        select(Run.run_id, Run.host, Run.ended_at, Run.log_bytes)
        .where(col(Run.log_bytes) > 0)
        .order_by(col(Run.ended_at).desc())
    )
    return [Kept(run_id, host, at or 0, size or 0) for run_id, host, at, size in session.exec(query)]


def removed(session: Session, run_id: str, now: int) -> None:
    """The log is gone."""
    session.execute(update(Run).where(col(Run.run_id) == run_id).values(log_bytes=0, log_removed_at=now))
