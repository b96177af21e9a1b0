"""The application: routes, sockets and headers put together."""

from sqlalchemy.exc import DatabaseError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.types import Scope

from nixfleet_server import sockets, web
from nixfleet_server.api import problems, routes
from nixfleet_server.auth.guard import secure_scope
from nixfleet_server.auth.headers import Headers
from nixfleet_server.context import Context
from nixfleet_server.errors import Declined


def build(shared: Context) -> Starlette:
    """The ASGI application around a context. Raises ConfigError when the web assets are missing."""

    def secure(scope: Scope) -> bool:
        return secure_scope(shared, scope["scheme"])

    app = Starlette(
        routes=[
            *routes.routes(),
            *web.routes(web.web_dir(shared.settings)),
            WebSocketRoute("/ws/agent", sockets.agent),
            WebSocketRoute("/ws/browser", sockets.browser),
        ],
        middleware=[Middleware(Headers, secure=secure, closing=lambda: shared.hub.draining)],
        exception_handlers={
            Declined: problems.on_declined,
            DatabaseError: problems.on_store_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_fault,
        },
    )
    app.state.context = shared
    return app
