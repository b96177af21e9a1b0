"""Which dispatches were asked for with a key, and what came of them."""

from sqlalchemy import delete
from sqlmodel import Session as Db
from sqlmodel import col

from nixfleet_server.store.tables import Idempotency

KEEP_MS = 24 * 3_600_000


def find(db: Db, key_hash: str, now: int) -> Idempotency | None:
    """What the key was used for lately."""
    row = db.get(Idempotency, key_hash)
    return row if row is not None and row.created_at > now - KEEP_MS else None


def keep(db: Db, key_hash: str, body_hash: str, result_id: str, now: int) -> None:
    """Remember what came of it, and forget what is too old."""
    db.execute(delete(Idempotency).where(col(Idempotency.created_at) <= now - KEEP_MS))
    db.add(Idempotency(key_hash=key_hash, body_hash=body_hash, result_id=result_id, created_at=now))
