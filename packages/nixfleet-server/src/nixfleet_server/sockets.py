"""The two WebSocket endpoints: who may open one. Strangers get an HTTP answer, never a socket."""

from starlette.websockets import WebSocket

from nixfleet_protocol import limits
from nixfleet_server import logging
from nixfleet_server.api.problems import PROBLEMS, problem
from nixfleet_server.auth.guard import authenticate, bearer, same_origin, who_are_you
from nixfleet_server.auth.tokens import allows, hash_token
from nixfleet_server.context import client_of, context
from nixfleet_server.live.agent import AgentConnection
from nixfleet_server.live.browser import BrowserConnection
from nixfleet_server.live.ticker import close_strangers
from nixfleet_server.store import hosts

log = logging.get(__name__)


async def agent(socket: WebSocket) -> None:
    """/ws/agent: the token says which host it is."""
    shared = context(socket)
    hub = shared.hub
    token = bearer(socket)
    key, now = hash_token(token or ""), hub.now()
    record = await hub.db.read(lambda session: hosts.by_token(session, key, now)) if token else None
    if record is None:
        log.warning("agent with a wrong token", client=client_of(socket))
        await _deny(
            socket,
            "not_authenticated",
            "the agent's token is missing or wrong: nixfleet-server host rotate gives a new one",
        )
        return
    if record.name not in hub.hosts:
        await hub.load_hosts()
    host = hub.hosts.get(record.name)
    if host is None:
        await _deny(socket, "not_authenticated", "this host was removed")
        return
    if hub.leaving:
        await _deny(socket, "shutting_down", "the server is about to restart")
        return
    await socket.accept()
    connection = AgentConnection(
        socket, hub, host, key=key, register_timeout=shared.register_timeout, silence_max=shared.silence_max
    )
    await connection.serve()


async def browser(socket: WebSocket) -> None:
    """/ws/browser: a session from our own page, or an API token."""
    shared = context(socket)
    principal = await authenticate(socket)
    if principal is None:
        await _deny(socket, "not_authenticated", who_are_you(socket))
        return
    if principal.session_id is not None and not same_origin(socket):
        log.warning("watcher from a foreign page", client=client_of(socket))
        await _deny(socket, "csrf", "the socket was not opened by this server's own page (Origin)")
        return
    if not allows(principal.scope, "read"):
        await _deny(socket, "scope", "this needs a token with read scope")
        return
    if shared.hub.leaving:
        await _deny(socket, "shutting_down", "the server is about to restart")
        return
    await shared.hub.refresh()
    if sum(watcher.key == principal.key for watcher in shared.hub.browsers) >= limits.WATCHERS_MAX:
        log.warning("too many watchers", who=principal.name)
        text = f"at most {limits.WATCHERS_MAX} sockets at once for one session or token"
        await _deny(socket, "too_many_watchers", text)
        return
    await socket.accept()
    connection = BrowserConnection(
        socket, shared.hub, peer=principal.name, key=principal.key, expires_at=principal.expires_at
    )
    # What let it in may have ended since it was looked at; from the first await of `serve` on it is found.
    shared.hub.spawn(close_strangers(shared.hub))
    await connection.serve()


async def _deny(socket: WebSocket, code: str, detail: str) -> None:
    status, title = PROBLEMS[code]
    await socket.send_denial_response(problem(status, code, title, detail))
