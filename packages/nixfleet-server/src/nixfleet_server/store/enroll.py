"""One-time enrolment tokens: each lets one agent in and makes its host."""

from sqlalchemy import delete, func
from sqlmodel import Session as Db
from sqlmodel import col, select

from nixfleet_protocol.messages.access import EnrollTokenView, NewEnrollToken
from nixfleet_server.auth.tokens import hash_token, new_token
from nixfleet_server.errors import Refused
from nixfleet_server.store import hosts
from nixfleet_server.store.access import public_id
from nixfleet_server.store.tables import EnrollToken

TOKENS_MAX = 500
KEEP_MS = 30 * 86_400_000
"""How long a used or expired token is still listed."""
REFUSED = "this enrolment token is wrong, used, expired, revoked, or for another host"


def add(db: Db, host: str | None, now: int, expires_at: int) -> NewEnrollToken:
    """A new token. Raises Refused when there are too many."""
    db.execute(delete(EnrollToken).where(col(EnrollToken.expires_at) < now - KEEP_MS))
    if db.exec(select(func.count()).select_from(EnrollToken)).one() >= TOKENS_MAX:
        raise Refused(f"there are {TOKENS_MAX} enrolment tokens: revoke some", "too_many_tokens")
    token = new_token("nfe_")
    row = EnrollToken(token_hash=hash_token(token), host=host, created_at=now, expires_at=expires_at)
    db.add(row)
    return NewEnrollToken(
        id=public_id(row.token_hash), host=host, created_at=now, expires_at=expires_at, token=token
    )


def everyone(db: Db) -> list[EnrollTokenView]:
    """All tokens, newest first."""
    return [
        EnrollTokenView(
            id=public_id(row.token_hash),
            host=row.host,
            created_at=row.created_at,
            expires_at=row.expires_at,
            used_by=row.used_by,
        )
        for row in db.exec(select(EnrollToken).order_by(col(EnrollToken.created_at).desc()))
    ]


def revoke(db: Db, id: str) -> None:
    """Take a token away, by the id that peers see. Raises Refused when there is none."""
    rows = db.exec(select(EnrollToken)).all()
    row = next((row for row in rows if public_id(row.token_hash) == id), None)
    if row is None:
        raise Refused("there is no such enrolment token", "no_such_token")
    db.delete(row)


def use(db: Db, token: str, host: str, now: int) -> str:
    """Use a token up: adds the host and gives its own token. Raises Refused, saying the same whatever is wrong with the
    token; only who has a good one hears that the name is taken, and may try another."""
    row = db.get(EnrollToken, hash_token(token))
    good = row is not None and row.used_by is None and row.expires_at > now and row.host in (None, host)
    if row is None or not good:
        raise Refused(REFUSED, "enroll_refused")
    given = hosts.add(db, host, "medium", now)
    row.used_by = host
    db.add(row)
    return given
