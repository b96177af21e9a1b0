"""Sessions and API tokens in the database. Peers see the beginning of an entry's hash as its id: the hash of 256 random bits
tells nothing, and an id is never used twice."""

from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, func, or_, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from nixfleet_protocol import limits
from nixfleet_protocol.messages.access import NewToken, SessionInfo, TokenView
from nixfleet_server.auth.seen import Use
from nixfleet_server.auth.tokens import hash_token, new_token
from nixfleet_server.errors import Refused
from nixfleet_server.store.tables import ApiToken, Session

Row = TypeVar("Row", Session, ApiToken)

SESSIONS_MAX = 500
TOKENS_MAX = 500
_ID = 32
_OURS = ("admin", "console", "agent")
"""Names under which the audit log and runs know somebody else."""


def public_id(hashed: str) -> str:
    """What peers know a session or token by."""
    return hashed[:_ID]


def add_session(
    db: Db, session_id: str, now: int, expires_at: int, *, address: str = "", client: str = ""
) -> None:
    """Begin a session, and forget those that are over and the oldest beyond SESSIONS_MAX."""
    db.execute(delete(Session).where(col(Session.expires_at) <= now))
    newest = select(Session.id_hash).order_by(col(Session.created_at).desc()).limit(SESSIONS_MAX - 1)
    db.execute(delete(Session).where(col(Session.id_hash).not_in(newest)))
    db.add(
        Session(
            id_hash=hash_token(session_id),
            created_at=now,
            expires_at=expires_at,
            last_seen_at=now,
            address=address,
            client=client[: limits.TEXT_MAX],
        )
    )


def session_expiry(db: Db, session_id: str, now: int) -> int | None:
    """When the session ends; None when there is none, or it is over."""
    row = db.get(Session, hash_token(session_id))
    return row.expires_at if row is not None and row.expires_at > now else None


def sessions(db: Db, now: int, current: str) -> list[SessionInfo]:
    """All sessions, newest first. `current` is the hash of the one that asks."""
    query = select(Session).where(Session.expires_at > now).order_by(col(Session.created_at).desc())
    return [
        SessionInfo(
            id=public_id(row.id_hash),
            current=row.id_hash == current,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_seen_at=row.last_seen_at,
            address=row.address[: limits.WORD_MAX],
            client=row.client[: limits.TEXT_MAX],
        )
        for row in db.exec(query)
    ]


def end_session(db: Db, session_id: str) -> None:
    """End a session, by its secret id."""
    db.execute(delete(Session).where(col(Session.id_hash) == hash_token(session_id)))


def end_session_by_id(db: Db, id: str) -> None:
    """End a session, by the id that peers see. Raises Refused when there is none."""
    row = _only(db.exec(select(Session).where(col(Session.id_hash).startswith(id, autoescape=True))), id)
    if row is None:
        raise Refused("there is no such session, or it is over", "no_such_session")
    db.delete(row)


def end_sessions(db: Db, but: str | None = None) -> int:
    """End all sessions but the one whose hash this is. Gives how many ended."""
    return db.execute(delete(Session).where(col(Session.id_hash) != (but or ""))).rowcount  # type: ignore[attr-defined, no-any-return]


def live_keys(db: Db, now: int) -> set[str]:
    """Hashes of every session and API token that is valid now."""
    sessions = db.exec(select(Session.id_hash).where(Session.expires_at > now))
    return {*sessions, *db.exec(select(ApiToken.token_hash).where(_valid(now)))}


def write_seen(db: Db, uses: Iterable[Use]) -> None:
    """Write when sessions and tokens were last used."""
    for use in uses:
        db.execute(
            update(Session)
            .where(col(Session.id_hash) == use.key)
            .values(last_seen_at=use.at, address=use.address, client=use.client[: limits.TEXT_MAX])
        )
        db.execute(update(ApiToken).where(col(ApiToken.token_hash) == use.key).values(last_used_at=use.at))


def add_token(db: Db, name: str, scope: str, now: int, expires_at: int | None = None) -> str:
    """Add an API token and give it; it is nowhere else. Raises Refused for a bad or taken name."""
    if not 0 < len(name) <= limits.WORD_MAX or not name.isprintable() or name in _OURS:
        raise Refused(f"a token's name is 1 to 64 printable characters, and none of {', '.join(_OURS)}")
    if db.exec(select(ApiToken).where(ApiToken.name == name)).first():
        raise Refused(
            f"there is a token {name} already; revoke it first, or take another name", "token_exists"
        )
    if db.exec(select(func.count()).select_from(ApiToken)).one() >= TOKENS_MAX:
        raise Refused(f"there are {TOKENS_MAX} tokens, the most one server keeps", "too_many_tokens")
    token = new_token("nfc_")
    db.add(
        ApiToken(name=name, scope=scope, token_hash=hash_token(token), created_at=now, expires_at=expires_at)
    )
    return token


def new_token_view(db: Db, name: str, scope: str, now: int, expires_at: int | None) -> NewToken:
    """The same, as the answer to who asked for it."""
    token = add_token(db, name, scope, now, expires_at)
    return NewToken(
        id=public_id(hash_token(token)),
        name=name,
        scope=scope,
        created_at=now,
        expires_at=expires_at,
        token=token,
    )


def tokens(db: Db) -> list[TokenView]:
    """All API tokens, newest first; those that expired too, until they are revoked."""
    return [
        TokenView(
            id=public_id(row.token_hash),
            name=row.name,
            scope=row.scope,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )
        for row in db.exec(select(ApiToken).order_by(col(ApiToken.id).desc()))
    ]


def remove_token(db: Db, word: str) -> str:
    """Take a token away, by its name or the id that peers see; gives its name. Raises Refused when there is none."""
    row = db.exec(select(ApiToken).where(ApiToken.name == word)).first()
    if row is None:
        row = _only(
            db.exec(select(ApiToken).where(col(ApiToken.token_hash).startswith(word, autoescape=True))), word
        )
    if row is None:
        raise Refused("no such token; the tokens: nixfleet-server token list", "no_such_token")
    db.delete(row)
    return row.name


def find_token(db: Db, token: str, now: int) -> ApiToken | None:
    """The API token, if it is one and valid now."""
    return db.exec(select(ApiToken).where(ApiToken.token_hash == hash_token(token), _valid(now))).first()


def _valid(now: int) -> ColumnElement[bool]:
    return or_(col(ApiToken.expires_at).is_(None), col(ApiToken.expires_at) > now)


def _only(found: Iterable[Row], id: str) -> Row | None:
    rows = list(found) if len(id) == _ID else []
    return rows[0] if len(rows) == 1 else None
