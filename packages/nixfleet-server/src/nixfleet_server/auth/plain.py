"""Plain HTTP is for this machine and for a trusted proxy: anyone else would send passwords and tokens in the open."""

import ipaddress
from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nixfleet_server import logging
from nixfleet_server.api.problems import PROBLEMS, problem
from nixfleet_server.errors import ConfigError
from nixfleet_server.settings import Settings

log = logging.get(__name__)

OPEN = ("/livez", "/readyz")
"""Paths without secrets, which an orchestrator on another machine asks."""
_REFUSED = (
    "this server speaks plain HTTP to its TLS proxy only: use the proxy's https:// address. Operator: if you came"
    " through the proxy, name its address in NIXFLEET_TRUSTED_PROXIES"
)


def check_listen(settings: Settings) -> None:
    """Raises ConfigError when the server would serve plain HTTP to other machines, with nothing to protect it."""
    if settings.listen.loopback or settings.trusted_proxies or settings.allow_plain_http:
        return
    raise ConfigError(
        f"NIXFLEET_LISTEN: {settings.listen} would serve plain HTTP to other machines, passwords and tokens readable on"
        " the way. Put a TLS proxy in front and name its address in NIXFLEET_TRUSTED_PROXIES, or listen on 127.0.0.1, or"
        " set NIXFLEET_ALLOW_PLAIN_HTTP=1 if the network itself is protected"
    )


class PlainHttp:
    """Refuses peers that are neither this machine nor a trusted proxy. Goes outside of what believes X-Forwarded-*."""

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._proxies = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._told: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket, or refuse it."""
        host = (scope.get("client") or ("",))[0]  # empty: a unix socket
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN or not host or self._may(host):
            await self._app(scope, receive, send)
            return
        if host != self._told:  # a line for each new address, not for each request
            self._told = host
            log.warning("plain HTTP refused: not this machine, not a trusted proxy", client=host)
        status, title = PROBLEMS["plain_http"]
        await _answer(problem(status, "plain_http", title, _REFUSED), scope, receive, send)

    def _may(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address  # what an IPv6 socket calls an IPv4 peer
        return address.is_loopback or any(address in network for network in self._proxies)


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
    await response(scope, receive, send)
