"""One-time enrolment tokens: each lets one agent in and makes its host."""

from sqlmodel import Session as Db
from sqlmodel import col, select

from nixfleet_protocol.messages.access import EnrollTokenView, NewEnrollToken
from nixfleet_server.auth.tokens import hash_token, new_token
from nixfleet_server.errors import Refused
from nixfleet_server.store import hosts
from nixfleet_server.store.access import public_id
from nixfleet_server.store.tables import EnrollToken

TOKENS_MAX = 500
"""That wait for their host; and so many of those that wait no more are listed."""
KEEP_MS = 30 * 86_400_000
"""How long a used or expired token is still listed."""
REFUSED = "this enrolment token is wrong, used, expired, revoked, or for another host"


def add(db: Db, host: str | None, now: int, expires_at: int) -> NewEnrollToken:
    """A new token. Raises Refused when there are too many."""
    rows = db.exec(select(EnrollToken).order_by(col(EnrollToken.created_at).desc())).all()
    closed = [row for row in rows if row.used_by is not None or row.expires_at <= now]
    if len(rows) - len(closed) >= TOKENS_MAX:
        raise Refused(f"{TOKENS_MAX} enrolment tokens wait for their host: revoke some", "too_many_tokens")
    for age, row in enumerate(closed, 1):
        if age >= TOKENS_MAX or row.expires_at < now - KEEP_MS:
            db.delete(row)
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
    """Take a token away, by the id that peers see. Raises Refused when there is none, or it has been used: then who has
    it is in already, and that is to be known."""
    rows = db.exec(select(EnrollToken)).all()
    row = next((row for row in rows if public_id(row.token_hash) == id), None)
    if row is None:
        raise Refused("there is no such enrolment token", "no_such_token")
    if row.used_by is not None:
        raise Refused(
            f"it has let in {row.used_by} already: remove that host, or rotate its token", "token_used"
        )
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
