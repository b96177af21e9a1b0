"""How one logs in: the first password, a new one, the second factor, recovery codes."""

import asyncio
from typing import Any

from sqlmodel import Session as Db
from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol import limits
from nixfleet_protocol.messages.access import (
    AccessView,
    PasswordChange,
    RecoveryCodes,
    SetUp,
    TotpCode,
    TotpStart,
)
from nixfleet_server.api.body import answer, nothing, read_body
from nixfleet_server.api.session import begin
from nixfleet_server.audit import note
from nixfleet_server.auth import login as auth
from nixfleet_server.auth import passwords, second
from nixfleet_server.auth.guard import Principal, check_origin_if_told
from nixfleet_server.context import context
from nixfleet_server.errors import Declined, Refused
from nixfleet_server.live.ticker import close_strangers
from nixfleet_server.store import access, login

SET_ELSEWHERE = "it is set by {}: change it there, and restart the server"


async def show(request: Request, principal: Principal) -> Response:
    """GET /access."""
    found, stored = await _in_force(request)
    return answer(
        AccessView(password=found.password_from, totp=found.totp_from, recovery_codes=len(stored.recovery))
    )


async def set_up(request: Request) -> Response:
    """POST /setup: the first password, with the code of the one-time link. Logs in too."""
    check_origin_if_told(request)
    auth.count(request)
    body = await read_body(request, SetUp, limits.LOGIN_BODY_MAX)
    hub = context(request).hub
    settings, now = context(request).settings, hub.now()

    def allow(db: Db) -> None:
        if auth.in_force(settings, login.load(db)).password_hash is not None:
            raise Refused("a password is set already: log in", "already_set_up")
        if not login.is_setup(db, body.code, now):
            text = "this set-up link is wrong, used or too old: restart the server, or nixfleet-server reset-login"
            raise Refused(text, "setup_refused")

    await hub.db.read(allow)  # nobody else can make us hash
    hashed = await _hashed(request, body.password)

    def set_first(db: Db) -> None:
        allow(db)
        login.put(db, login.SETUP, None)
        login.put(db, login.PASSWORD, hashed)

    await hub.db.write(set_first)
    auth.forgive(request)
    note(request, who="admin")
    return await begin(request)


async def change_password(request: Request, principal: Principal) -> Response:
    """POST /password: every other session ends."""
    auth.count(request)
    body = await read_body(request, PasswordChange)
    found, _ = await _in_force(request)
    if found.password_from == "environment":  # noqa: S105
        raise Declined("set_by_environment", SET_ELSEWHERE.format("NIXFLEET_PASSWORD_HASH"))
    hashed = await _hashed(request, body.new)
    hub = context(request).hub

    def put(db: Db) -> bool:
        login.put(db, login.PASSWORD, hashed)
        access.end_sessions(db, but=principal.key)
        return True

    await auth.check(request, body.current, None, put, word="not_confirmed", second=False)
    await close_strangers(hub)
    return nothing()


async def start_totp(request: Request, principal: Principal) -> Response:
    """POST /totp: a new secret, in force once it is confirmed."""
    found, _ = await _in_force(request)
    if found.totp_from == "environment":
        raise Declined("set_by_environment", SET_ELSEWHERE.format("NIXFLEET_TOTP_SECRET"))
    if found.totp_secret is not None:
        raise Declined("totp_on", "turn the second factor off first, with a code of it")
    shared = context(request)
    secret, now = second.new_secret(), shared.hub.now()
    await shared.hub.db.write(lambda db: login.put_pending(db, secret, now))
    uri = second.uri(secret, _issuer(request))
    qr = await asyncio.get_running_loop().run_in_executor(None, second.svg, uri)
    return answer(TotpStart(secret=secret, uri=uri, qr=qr), 201)


async def confirm_totp(request: Request, principal: Principal) -> Response:
    """POST /totp/confirm: the new second factor is in force. Every other session ends."""
    body = await read_body(request, TotpCode)
    codes = second.new_recovery_codes()
    hashes = tuple(map(second.recovery_hash, codes))
    now = context(request).hub.now()

    def confirm(db: Db) -> bool:
        secret = login.pending(db, now)
        step = second.step_of(body.code, secret, now) if secret else None
        if secret is None or step is None:
            raise Refused(auth.WRONG, "not_confirmed")
        login.put_totp(db, secret, step, hashes)
        access.end_sessions(db, but=principal.key)
        return True

    auth.count(request)
    await auth.check(request, body.password, None, confirm, word="not_confirmed", second=False)
    await close_strangers(context(request).hub)
    return answer(RecoveryCodes(codes=codes))


async def drop_totp(request: Request, principal: Principal) -> Response:
    """DELETE /totp: no second factor any more."""
    found, _ = await _in_force(request)
    if found.totp_from == "environment":
        raise Declined("set_by_environment", SET_ELSEWHERE.format("NIXFLEET_TOTP_SECRET"))
    await _with_code(request, found, login.drop_totp)
    return nothing()


async def new_recovery_codes(request: Request, principal: Principal) -> Response:
    """POST /totp/recovery: new recovery codes; those before work no more."""
    found, _ = await _in_force(request)
    codes = second.new_recovery_codes()
    hashes = tuple(map(second.recovery_hash, codes))
    await _with_code(request, found, lambda db: login.put_recovery(db, hashes))
    return answer(RecoveryCodes(codes=codes))


async def _with_code(request: Request, found: auth.InForce, then: Any) -> None:
    body = await read_body(request, TotpCode)
    if found.totp_secret is None:
        raise Declined("totp_off", "there is no second factor")
    auth.count(request)
    await auth.check(request, body.password, body.code, lambda db: (then(db), True), word="not_confirmed")


async def _in_force(request: Request) -> tuple[auth.InForce, login.Stored]:
    shared = context(request)
    stored = await shared.hub.db.read(login.load)
    return auth.in_force(shared.settings, stored), stored


async def _hashed(request: Request, password: str) -> str:
    """Raises Declined for a password that is too weak."""
    try:
        passwords.check_new(password)
    except ValueError as error:
        raise Declined("invalid", f"password: {error}") from None
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(context(request).hasher, passwords.hash_password, password)


def _issuer(request: Request) -> str:
    """What the authenticator shows: which of several servers it is for."""
    base = context(request).settings.base_url
    return f"NixFleet {base.partition('//')[2]}" if base else "NixFleet"
