"""Is it the operator? Password and second factor, from the environment or else the database.

Whatever is wrong, the same work is done and the same is said: one password hashed, one code compared, one transaction.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session as Db
from starlette.requests import HTTPConnection

from nixfleet_server import logging
from nixfleet_server.audit import note
from nixfleet_server.auth.devices import device_of
from nixfleet_server.auth.passwords import verify
from nixfleet_server.auth.second import recovery_hash, step_of
from nixfleet_server.context import Context, client_of, context
from nixfleet_server.domain.login import attempt, forget
from nixfleet_server.errors import Declined
from nixfleet_server.settings import Settings
from nixfleet_server.store import login

log = logging.get(__name__)
T = TypeVar("T")

WRONG = "the password or the code is wrong"
WAITING_MAX = 16
"""Logins of browsers we don't know that may wait for their hash at once."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What a login is checked against; None: there is none."""

    password_hash: str | None
    totp_secret: str | None
    password_from: str
    totp_from: str


def in_force(settings: Settings, stored: login.Stored) -> InForce:
    """The environment's word, else the database's. `…_from` are words of `AccessView`."""
    password, password_from = _first(settings.password_hash, stored.password_hash)
    secret, totp_from = _first(settings.totp_secret, stored.totp_secret)
    return InForce(password, secret, password_from, totp_from)


def first_setup(settings: Settings, db: Db, now: int) -> str | None:
    """A new set-up code, as long as there is no password."""
    if in_force(settings, login.load(db)).password_hash is not None:
        return None
    return login.new_setup(db, now)


def _first(given: object, kept: str | None) -> tuple[str | None, str]:
    if given is not None:
        return str(given.get_secret_value()), "environment"  # type: ignore[attr-defined]
    return kept, "database" if kept else "none"


def count(request: HTTPConnection) -> None:
    """Count an attempt, before anything else is done for it. Raises Declined when there were too many.

    A browser that was logged in before counts for itself: strangers behind the same proxy can't lock it out.
    """
    shared = context(request)
    shared.attempts, wait = attempt(shared.attempts, _key(request), shared.hub.monotonic())
    if wait > 0:
        log.warning("too many login attempts", client=client_of(request))
        raise too_many(wait)


def forgive(request: HTTPConnection) -> None:
    """It was the operator: the next attempt is the first again."""
    shared = context(request)
    shared.attempts = forget(shared.attempts, _key(request))


def too_many(wait: float) -> Declined:
    """What to say to one who has to wait so many seconds."""
    seconds = max(1, math.ceil(wait))
    return Declined(
        "too_many_logins", f"try again in {seconds} seconds", headers={"Retry-After": str(seconds)}
    )


async def check(
    request: HTTPConnection,
    password: str,
    code: str | None,
    then: Callable[[Db], T],
    *,
    word: str = "login_failed",
    second: bool = True,
) -> T:
    """Check password and second factor, and on success run `then` in the transaction that uses the code up.

    The attempt was counted with `count`. Without `second` the password is enough. Raises Declined with the code `word` for
    whatever is wrong.
    """
    shared = context(request)
    stored = await shared.hub.db.read(login.load)
    against = in_force(shared.settings, stored)
    right = await _verify(shared, request, password, against.password_hash)
    now = shared.hub.now()

    def settle(db: Db) -> tuple[bool, bool, T | None]:
        again = in_force(shared.settings, login.load(db))
        by_recovery, factor = _second(db, again, code or "", now, use=right) if second else (False, True)
        if not right or not factor or again.password_hash != against.password_hash:
            return False, by_recovery, None
        return True, by_recovery, then(db)

    good, by_recovery, result = await shared.hub.db.write(settle)
    if not good:
        log.warning("login failed", client=client_of(request))
        note(
            request, detail="the password was right, the code was not" if right else "the password was wrong"
        )
        raise Declined(word, WRONG)
    forgive(request)
    if by_recovery:
        log.warning("a recovery code was used", client=client_of(request))
        note(request, detail="with a recovery code")
    assert result is not None
    return result


def _key(request: HTTPConnection) -> str:
    return device_of(request) or client_of(request)


async def _verify(shared: Context, request: HTTPConnection, password: str, hashed: str | None) -> bool:
    """Hash on the one hashing thread. Known browsers wait for one stranger at most, strangers for each other."""
    loop = asyncio.get_running_loop()
    if device_of(request):
        return await loop.run_in_executor(shared.hasher, verify, password, hashed)
    if shared.strangers_waiting >= WAITING_MAX:
        raise too_many(5)
    shared.strangers_waiting += 1
    try:
        async with shared.stranger:
            return await loop.run_in_executor(shared.hasher, verify, password, hashed)
    finally:
        shared.strangers_waiting -= 1


def _second(db: Db, against: InForce, code: str, now: int, *, use: bool) -> tuple[bool, bool]:
    """Whether the code is good, and by a recovery code; with `use` it is good this once only."""
    if against.totp_secret is None:
        return False, True
    stored = login.load(db)
    step = step_of(code, against.totp_secret, now)
    hashed = recovery_hash(code)
    by_recovery = hashed in stored.recovery
    fresh = step is not None and step > stored.totp_step
    if use and fresh:
        login.put(db, login.TOTP_STEP, str(step))
    elif use and by_recovery:
        login.put_recovery(db, tuple(item for item in stored.recovery if item != hashed))
    return by_recovery and not fresh, fresh or by_recovery
