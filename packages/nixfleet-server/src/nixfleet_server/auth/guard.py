"""Who makes a request: by session cookie or API token; and whether it comes from our own page."""

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from nixfleet_server.auth.seen import Use
from nixfleet_server.auth.sessions import COOKIE, SECURE_COOKIE, csrf_token
from nixfleet_server.auth.tokens import allows, hash_token
from nixfleet_server.context import Context, client_of, context
from nixfleet_server.errors import Declined
from nixfleet_server.store import access

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who was let in. `key` is the hash of what let them in; `expires_at` in milliseconds; None: never."""

    name: str
    scope: str
    key: str
    session_id: str | None = None
    expires_at: int | None = None


async def authenticate(connection: HTTPConnection) -> Principal | None:
    """Who it is; None when nobody we know. A bearer token counts alone, whatever cookie comes with it."""
    shared = context(connection)
    token = bearer(connection)
    now = shared.hub.now()
    if token is not None:
        row = await shared.hub.db.read(lambda db: access.find_token(db, token, now))
        if row is None:
            return None
        return _seen(connection, Principal(row.name, row.scope, row.token_hash, expires_at=row.expires_at))
    value = connection.cookies.get(SECURE_COOKIE if is_secure(shared, connection) else COOKIE)
    session_id = shared.cookies.read(value) if value else None
    if session_id is None:
        return None
    expires_at = await shared.hub.db.read(lambda db: access.session_expiry(db, session_id, now))
    if expires_at is None:
        return None
    return _seen(connection, Principal("admin", "admin", hash_token(session_id), session_id, expires_at))


def _seen(connection: HTTPConnection, principal: Principal) -> Principal:
    shared = context(connection)
    agent = connection.headers.get("user-agent", "")
    shared.seen.touch(Use(principal.key, shared.hub.now(), client_of(connection), agent))
    return principal


def permit(connection: HTTPConnection, principal: Principal, scope: str, *, changes: bool) -> None:
    """Raises Declined unless the principal may do this."""
    if not allows(principal.scope, scope):
        raise Declined("scope", f"this token's scope is {principal.scope}; this needs {scope}")
    if principal.session_id is not None and changes:
        check_csrf(connection, principal.session_id)


def who_are_you(connection: HTTPConnection) -> str:
    """What to tell someone whom `authenticate` does not know."""
    if bearer(connection) is None:
        return "log in, or send Authorization: Bearer with an API token"
    return "this API token is not valid here (revoked, expired, or another server's): nixfleet-server token add NAME makes one"


def check_csrf(connection: HTTPConnection, session_id: str) -> None:
    """Raises Declined unless our own page sent this: same Origin, and the session's CSRF token."""
    check_origin(connection)
    sent = connection.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(sent.encode(), csrf_token(session_id).encode()):
        raise Declined("csrf", "X-CSRF-Token is missing or wrong: reload the page")


def check_origin(connection: HTTPConnection) -> None:
    """Raises Declined unless the browser says that our own page sent this: by Origin and, where it tells, by
    Sec-Fetch-Site."""
    if not same_origin(connection):
        raise Declined("csrf", "the request does not come from this server's own page (Origin)")
    if connection.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Declined("csrf", "the request does not come from this server's own page (Sec-Fetch-Site)")


def check_origin_if_told(connection: HTTPConnection) -> None:
    """The same for a request that no cookie authenticates: what is no browser tells nothing."""
    if "origin" in connection.headers or "sec-fetch-site" in connection.headers:
        check_origin(connection)


def same_origin(connection: HTTPConnection) -> bool:
    """Whether Origin is there and is this server: the public URL if one is set, else the host that was asked.

    Behind a TLS proxy the request's scheme is the page's only for a trusted proxy: set the public URL.
    """
    scheme = "https" if connection.scope["scheme"] in ("https", "wss") else "http"
    ours = context(connection).settings.base_url or f"{scheme}://{connection.headers.get('host', '')}"
    sent = _origin(connection.headers.get("origin", ""))
    return sent is not None and sent == _origin(ours)


def _origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None when it is none."""
    try:
        url = urlsplit(text)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:  # strangers write this header
        return None
    if port is None or not url.hostname or url.username is not None:
        return None
    return url.scheme, url.hostname, port


def is_secure(shared: Context, connection: HTTPConnection) -> bool:
    """Whether the client came over TLS, as far as we can know."""
    return secure_scope(shared, connection.scope["scheme"])


def secure_scope(shared: Context, scheme: str) -> bool:
    """The same, from an ASGI scope's scheme."""
    base = shared.settings.base_url
    return scheme in ("https", "wss") or (base is not None and base.startswith("https:"))


def bearer(connection: HTTPConnection) -> str | None:
    """The bearer token of the request, if it has one."""
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None
