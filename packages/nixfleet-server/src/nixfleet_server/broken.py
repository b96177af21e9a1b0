"""What is served while the data can't be: a clear state instead of a process that ends and starts for ever."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from nixfleet_protocol import limits
from nixfleet_server import logging
from nixfleet_server.api.problems import PROBLEMS, problem
from nixfleet_server.httpd import Server
from nixfleet_server.intake import bounded, raise_file_limit

log = logging.get(__name__)

_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def app() -> Starlette:
    """Alive, not ready, and nothing else. Why is for the server's log only: strangers may ask."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        return JSONResponse({"status": "unready", "reasons": ["database"]}, 503)

    async def other(request: Request) -> Response:
        return _answer()

    async def socket(websocket: WebSocket) -> None:
        await websocket.send_denial_response(_answer())

    return Starlette(
        routes=[
            Route("/livez", live),
            Route("/readyz", ready),
            WebSocketRoute("/{path:path}", socket),
            Route("/{path:path}", other, methods=_METHODS),
        ]
    )


async def serve(listener: socket.socket, reason: str, wait: Callable[[], Awaitable[bool]]) -> None:
    """Serve that for as long as `wait` takes. If it gives true, the server is to stop, and the listener is closed."""
    log.error("the database can't be used: it is tried again every few seconds", reason=reason)
    print(f"nixfleet-server: the database can't be used: {reason}", flush=True)
    with listener.dup() as own:
        config = uvicorn.Config(
            app(),
            http=bounded(raise_file_limit(), limits.HEAD_TIMEOUT),
            lifespan="off",
            ws="wsproto",
            timeout_graceful_shutdown=3,
            access_log=False,
            log_config=None,
        )
        server = Server(config, lambda: None)
        serving = asyncio.create_task(server.serve(sockets=[own]))
        if await wait():
            server.door = listener
        server.should_exit = True
        await serving


def _answer() -> Response:
    status, title = PROBLEMS["unavailable"]
    return problem(
        status,
        "unavailable",
        title,
        "its database can't be used; the server's log says why",
        {"Retry-After": "5"},
    )
