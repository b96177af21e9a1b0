"""The assets under /static/: as they are, or packed for those who take it, which is a third of the bytes."""

import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

PACKED = {".html", ".css", ".js", ".json", ".svg"}
FILES_KEPT = 512
SIZE_MAX = 1024 * 1024
"""Bytes of a file that is packed; larger ones are sent as they are, so that what is kept in memory has a limit."""


@lru_cache(maxsize=FILES_KEPT)
def _packed(path: str, size: int, changed: int) -> bytes:
    """The file, packed. `size` and `changed` (nanoseconds) make another file of it when it was replaced."""
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)


class Assets(StaticFiles):
    """Starlette's static files; text is packed once and kept. Nothing here is secret, so nothing is told by its size."""

    def file_response(
        self, full_path: Any, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, packed where the client takes gzip."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        headers = Headers(scope=scope)
        if Path(full_path).suffix not in PACKED or not 0 < stat_result.st_size <= SIZE_MAX:
            return response
        response.headers["Vary"] = "Accept-Encoding"
        if (
            "gzip" not in headers.get("accept-encoding", "")
            or "range" in headers
            or not isinstance(response, FileResponse)
        ):
            return response
        tag = f'{response.headers["etag"][:-1]}-gzip"'
        if tag in headers.get("if-none-match", ""):
            response.headers["ETag"] = tag
            return NotModifiedResponse(response.headers)
        body = _packed(str(full_path), stat_result.st_size, stat_result.st_mtime_ns)
        kept = {name: response.headers[name] for name in ("last-modified", "vary", "content-type")}
        return Response(body, status_code, kept | {"ETag": tag, "Content-Encoding": "gzip"})
