"""What a login is checked against, as far as the environment does not say: password, second factor, set-up code."""

import hmac
import json
from dataclasses import dataclass

from sqlalchemy import delete
from sqlmodel import Session as Db
from sqlmodel import col, select

from nixfleet_server.auth.tokens import hash_token, new_token
from nixfleet_server.store.tables import Session, Setting

PASSWORD = "password_hash"  # noqa: S105  (the setting's name)
TOTP = "totp_secret"
TOTP_STEP = "totp_step"
TOTP_PENDING = "totp_pending"
RECOVERY = "recovery_hashes"
SETUP = "setup"
SETUP_MS = 24 * 3_600_000
"""How long a set-up link works."""
PENDING_MS = 15 * 60_000
"""How long a new second factor waits to be confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database has. `recovery`: hashes of the codes not used yet; `totp_step`: the last step whose code was used."""

    password_hash: str | None = None
    totp_secret: str | None = None
    totp_step: int = 0
    recovery: tuple[str, ...] = ()


def load(db: Db) -> Stored:
    """Everything but what is only pending."""
    rows = {row.name: row.value for row in db.exec(select(Setting))}
    return Stored(
        password_hash=rows.get(PASSWORD),
        totp_secret=rows.get(TOTP),
        totp_step=int(rows.get(TOTP_STEP, 0)),
        recovery=tuple(json.loads(rows.get(RECOVERY, "[]"))),
    )


def put(db: Db, name: str, value: str | None) -> None:
    """Set or remove one setting."""
    if value is None:
        db.execute(delete(Setting).where(col(Setting.name) == name))
    else:
        db.merge(Setting(name=name, value=value))


def put_recovery(db: Db, hashes: tuple[str, ...]) -> None:
    """Set the recovery codes that are left."""
    put(db, RECOVERY, json.dumps(hashes))


def new_setup(db: Db, now: int) -> str:
    """A new set-up code; those before it work no more."""
    code = new_token("nfs_")
    put(db, SETUP, json.dumps([hash_token(code), now + SETUP_MS]))
    return code


def is_setup(db: Db, code: str, now: int) -> bool:
    """Whether it is the set-up code, and not too old."""
    row = db.get(Setting, SETUP)
    if row is None:
        return False
    hashed, until = json.loads(row.value)
    return hmac.compare_digest(hash_token(code), hashed) and until > now


def put_pending(db: Db, secret: str, now: int) -> None:
    """A new second factor waits to be confirmed."""
    put(db, TOTP_PENDING, json.dumps([secret, now + PENDING_MS]))


def pending(db: Db, now: int) -> str | None:
    """The second factor that waits to be confirmed."""
    row = db.get(Setting, TOTP_PENDING)
    secret, until = json.loads(row.value) if row else ("", 0)
    return secret if until > now else None


def put_totp(db: Db, secret: str, step: int, hashes: tuple[str, ...]) -> None:
    """A second factor is in force from now on; the code of `step` is used."""
    put(db, TOTP_PENDING, None)
    put(db, TOTP, secret)
    put(db, TOTP_STEP, str(step))
    put_recovery(db, hashes)


def drop_totp(db: Db) -> None:
    """There is no second factor any more. The last step stays: a used code is used also for the next factor."""
    for name in (TOTP, TOTP_PENDING, RECOVERY):
        put(db, name, None)


def reset(db: Db, now: int) -> str:
    """Forget password, second factor and sessions; gives the code for a new set-up."""
    put(db, PASSWORD, None)
    drop_totp(db)
    put(db, TOTP_STEP, None)  # a clock that was once far ahead has used up all codes until then
    db.execute(delete(Session))
    return new_setup(db, now)
