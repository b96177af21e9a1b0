"""Versions of all parts, and the room that is left."""

import asyncio
import contextlib
import os
import platform
import shutil
import sqlite3
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

import nixfleet_web
from nixfleet_protocol.messages.access import About
from nixfleet_protocol.versions import PROTOCOL
from nixfleet_server.__about__ import __version__
from nixfleet_server.api.body import answer
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context


async def show(request: Request, principal: Principal) -> Response:
    """GET /about."""
    shared = context(request)
    used, free = await asyncio.get_running_loop().run_in_executor(None, _room, shared.settings.data_dir)
    return answer(
        About(
            server_version=__version__,
            web_version=nixfleet_web.__version__,
            protocol=str(PROTOCOL),
            python=platform.python_version(),
            database=f"sqlite {sqlite3.sqlite_version}",
            started_at=shared.started_at,
            uptime=shared.hub.monotonic() - shared.started,
            data_bytes=used,
            free_bytes=free,
        )
    )


def _room(directory: Path) -> tuple[int, int]:
    used = 0
    for place, _, names in os.walk(directory):  # which passes over what is gone meanwhile
        for name in names:
            with contextlib.suppress(OSError):
                used += (Path(place) / name).lstat().st_size
    return used, shutil.disk_usage(directory).free
