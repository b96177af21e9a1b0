"""What the webhook is owed, in the database: written with what made it true, so that a crash forgets no event."""

import json
from typing import Any, NamedTuple

from sqlmodel import Session, col, delete, select

from nixfleet_server.auth.tokens import hash_token
from nixfleet_server.domain.events import GIVE_UP_MS
from nixfleet_server.store.tables import Webhook


class Owed(NamedTuple):
    """An event that is to be sent. `body` is JSON."""

    id: int
    event_id: str
    body: str
    attempts: int


def add(session: Session, key: str, body: dict[str, Any], now: int) -> None:
    """Owe an event, unless it is, or was, owed already."""
    if session.exec(select(Webhook).where(Webhook.key == key)).first():
        return
    full = {"id": _id(key), "at": now} | body
    session.add(Webhook(key=key, body=json.dumps(full, ensure_ascii=False), created_at=now, next_at=now))


def due(session: Session, now: int, most: int) -> list[Owed]:
    """What is to be sent now, oldest first."""
    query = (
        select(Webhook)
        .where(col(Webhook.sent_at).is_(None), Webhook.next_at <= now, Webhook.created_at > now - GIVE_UP_MS)
        .order_by(col(Webhook.id))
        .limit(most)
    )
    return [Owed(row.id or 0, _id(row.key), row.body, row.attempts) for row in session.exec(query)]


def sent(session: Session, id: int, now: int) -> None:
    """It was taken."""
    row = session.get_one(Webhook, id)
    row.attempts, row.sent_at = row.attempts + 1, now
    session.add(row)


def failed(session: Session, id: int, next_at: int) -> None:
    """It was not."""
    row = session.get_one(Webhook, id)
    row.attempts, row.next_at = row.attempts + 1, next_at
    session.add(row)


def prune(session: Session, now: int) -> None:
    """Forget what is long over."""
    session.execute(delete(Webhook).where(col(Webhook.created_at) < now - 10 * GIVE_UP_MS))


def _id(key: str) -> str:
    return hash_token(key)[:32]
