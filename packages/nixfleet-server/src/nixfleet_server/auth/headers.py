"""Headers on every answer, as plain ASGI: nothing here may hold back a stream."""

import secrets
from collections.abc import Callable

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nixfleet_server import logging

log = logging.get(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
        " connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"
_STARTS = ("http.response.start", "websocket.http.response.start")


class Headers:
    """Adds HEADERS and a request id. `secure(scope)` says whether the client came over TLS, `closing()` whether no more
    requests are wanted on this connection."""

    def __init__(
        self, app: ASGIApp, secure: Callable[[Scope], bool], closing: Callable[[], bool] = lambda: False
    ) -> None:
        self._app = app
        self._secure = secure
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)

        async def send_with_headers(message: Message) -> None:
            if message["type"] in _STARTS:
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers["X-Request-Id"] = request_id
                if scope["type"] == "http" and self._closing():
                    headers["Connection"] = "close"
                # Assets are asked for again with their ETag; nothing else may be kept anywhere.
                headers["Cache-Control"] = "no-cache" if scope["path"].startswith("/static/") else "no-store"
                if self._secure(scope):
                    headers["Strict-Transport-Security"] = HSTS
                _log(scope, message["status"])
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _log(scope: Scope, status: int) -> None:
    method = scope.get("method", "WEBSOCKET")
    say = log.debug if method in ("GET", "HEAD") and status < 500 else log.info
    say("request", method=method, path=scope["path"][:200], status=status)
