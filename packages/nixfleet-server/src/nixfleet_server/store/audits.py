"""The audit log in the database."""

from sqlalchemy import delete
from sqlmodel import Session, col, select

from nixfleet_protocol import limits
from nixfleet_protocol.messages.access import AuditEntry
from nixfleet_server.store.tables import Audit

KEEP_DAYS = 400
KEEP = 100_000
"""Entries kept: the newest, and none older than this. At 300 bytes each that is 30 MB."""
KEEP_STRANGERS = 10_000
"""Of them, those of strangers, whose attempts must not push out what the operator did."""
PRUNE_EVERY = 100


def add(
    db: Session,
    at: int,
    *,
    action: str,
    who: str = "",
    address: str = "",
    subject: str = "",
    outcome: str = "ok",
    detail: str = "",
    run_id: str | None = None,
) -> None:
    """Write an entry; what is too long is cut."""
    entry = Audit(
        at=at,
        who=who[: limits.WORD_MAX],
        address=address[: limits.WORD_MAX],
        action=action[: limits.WORD_MAX],
        subject=subject[: limits.TEXT_MAX],
        outcome=outcome[: limits.WORD_MAX],
        detail=detail[: limits.TEXT_MAX],
        run_id=run_id,
    )
    db.add(entry)
    db.flush()
    assert entry.id is not None
    if entry.id % PRUNE_EVERY == 0:
        prune(db, at)


def prune(db: Session, now: int) -> None:
    """Drop what is too old or too much."""
    db.execute(delete(Audit).where(col(Audit.at) < now - KEEP_DAYS * 86_400_000))
    for keep, whose in ((KEEP, None), (KEEP_STRANGERS, "")):
        query = select(Audit.id).order_by(col(Audit.id).desc()).offset(keep).limit(1)
        last = db.exec(query if whose is None else query.where(Audit.who == whose)).first()
        if last is not None:
            doomed = delete(Audit).where(col(Audit.id) <= last)
            db.execute(doomed if whose is None else doomed.where(col(Audit.who) == whose))


def page(db: Session, limit: int, before: int | None) -> list[AuditEntry]:
    """Entries, newest first, older than the entry `before`."""
    query = select(Audit).order_by(col(Audit.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Audit.id) < before)
    return [
        AuditEntry(
            id=row.id or 0,
            at=row.at,
            who=row.who,
            address=row.address,
            action=row.action,
            subject=row.subject,
            outcome=row.outcome,
            detail=row.detail,
            run_id=row.run_id,
        )
        for row in db.exec(query)
    ]
