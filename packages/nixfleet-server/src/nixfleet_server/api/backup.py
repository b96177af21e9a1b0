"""A backup for whoever has admin scope: all that the server knows, its secrets too."""

from collections.abc import Iterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nixfleet_server.auth.guard import Principal
from nixfleet_server.backup import stream
from nixfleet_server.context import Context, context
from nixfleet_server.errors import Declined

MEDIA = "application/gzip"


async def show(request: Request, principal: Principal) -> Response:
    """GET /backup."""
    shared = context(request)
    name = f"nixfleet-{datetime.fromtimestamp(shared.hub.now() / 1000, UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    if shared.backing_up:
        raise Declined("busy", "another backup is being made: try again when it is done")
    return StreamingResponse(
        _alone(shared),
        media_type=MEDIA,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _alone(shared: Context) -> Iterator[bytes]:
    shared.backing_up = True
    try:
        yield from stream(shared.settings)
    finally:
        shared.backing_up = False
