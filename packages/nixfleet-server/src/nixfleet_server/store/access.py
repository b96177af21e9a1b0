"""Sessions and API tokens in the database."""

from sqlalchemy import delete
from sqlmodel import Session as Db
from sqlmodel import col, select

from nixfleet_server.auth.tokens import hash_token, new_token
from nixfleet_server.errors import Refused
from nixfleet_server.store.tables import ApiToken, Session


def add_session(db: Db, session_id: str, now: int, expires_at: int) -> None:
    """Begin a session, and forget those that are over."""
    db.execute(delete(Session).where(col(Session.expires_at) <= now))
    db.add(Session(id_hash=hash_token(session_id), created_at=now, expires_at=expires_at))


def session_expiry(db: Db, session_id: str, now: int) -> int | None:
    """When the session ends; None when there is none, or it is over."""
    row = db.get(Session, hash_token(session_id))
    return row.expires_at if row is not None and row.expires_at > now else None


def end_session(db: Db, session_id: str) -> None:
    """End a session."""
    db.execute(delete(Session).where(col(Session.id_hash) == hash_token(session_id)))


def live_keys(db: Db, now: int) -> set[str]:
    """Hashes of every session and API token that is valid now."""
    sessions = db.exec(select(Session.id_hash).where(Session.expires_at > now))
    return {*sessions, *db.exec(select(ApiToken.token_hash))}


def add_token(db: Db, name: str, scope: str, now: int) -> str:
    """Add an API token and give it; it is nowhere else. Raises Refused for a bad or taken name."""
    if not 0 < len(name) <= 64 or not name.isprintable():
        raise Refused("a token's name is 1 to 64 printable characters")
    if db.exec(select(ApiToken).where(ApiToken.name == name)).first():
        raise Refused(f"there is a token {name} already; nixfleet-server token remove {name} takes it away")
    token = new_token("nfc_")
    db.add(ApiToken(name=name, scope=scope, token_hash=hash_token(token), created_at=now))
    return token


def tokens(db: Db) -> list[ApiToken]:
    """All API tokens by name."""
    return list(db.exec(select(ApiToken).order_by(ApiToken.name)))


def remove_token(db: Db, name: str) -> None:
    """Take a token away. Raises Refused when there is no such token."""
    row = db.exec(select(ApiToken).where(ApiToken.name == name)).first()
    if row is None:
        raise Refused("no such token; the tokens: nixfleet-server token list")
    db.delete(row)


def find_token(db: Db, token: str) -> ApiToken | None:
    """The API token, if it is one."""
    return db.exec(select(ApiToken).where(ApiToken.token_hash == hash_token(token))).first()
