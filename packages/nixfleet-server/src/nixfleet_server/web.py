"""The pages: files of nixfleet-web, or of another unpacked one."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

import nixfleet_web
from nixfleet_server.assets import Assets
from nixfleet_server.auth.guard import authenticate
from nixfleet_server.auth.login import in_force
from nixfleet_server.context import context
from nixfleet_server.errors import ConfigError
from nixfleet_server.settings import Settings
from nixfleet_server.store import login as login_store

PAGES = ("index.html", "login.html")


def web_dir(settings: Settings) -> Path:
    """Where the assets are. Raises ConfigError when they aren't."""
    if settings.web_dir is None:
        return nixfleet_web.static_dir()
    for place in (
        settings.web_dir,
        settings.web_dir / "static",
        settings.web_dir / "nixfleet_web" / "static",
    ):
        if all((place / page).is_file() for page in PAGES):
            return place
    raise ConfigError(
        f"NIXFLEET_WEB_DIR: {settings.web_dir} holds no {' and '.join(PAGES)}: unpack nixfleet-web there"
    )


async def _has_password(request: Request) -> bool:
    shared = context(request)
    stored = await shared.hub.db.read(login_store.load)
    return in_force(shared.settings, stored).password_hash is not None


def routes(directory: Path) -> list[BaseRoute]:
    """The pages' routes."""
    assets = Assets(directory=directory)

    def page(request: Request, name: str) -> Response:
        path = directory / name
        return assets.file_response(path, path.stat(), request.scope)

    async def index(request: Request) -> Response:
        if await authenticate(request) is None:
            return RedirectResponse("/login", 303)
        return page(request, "index.html")

    async def login(request: Request) -> Response:
        if await authenticate(request) is not None:
            return RedirectResponse("/", 303)
        if not await _has_password(request):
            return RedirectResponse("/setup", 303)
        return page(request, "login.html")

    async def sent_without_script(request: Request) -> Response:
        """The form as the browser itself sends it, where one was faster than the page's script: once more."""
        return RedirectResponse("/login", 303)

    async def setup(request: Request) -> Response:
        if await _has_password(request):
            return RedirectResponse("/login", 303)
        if not (directory / "setup.html").is_file():  # that of nixfleet-web 0.1
            return PlainTextResponse(
                "No password is set. The page to set it comes with nixfleet-web 0.2.", 404
            )
        return page(request, "setup.html")

    return [
        Route("/", index),
        Route("/login", login),
        Route("/login", sent_without_script, methods=["POST"]),
        Route("/setup", setup),
        Mount("/static", assets),
    ]
