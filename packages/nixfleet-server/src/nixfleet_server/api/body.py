"""Bodies and parameters in, answers out."""

import json
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.validate import read_json
from nixfleet_server.errors import Declined

T = TypeVar("T")

BODY_MAX = 64 * 1024
"""Bytes of a request's body: many times the largest honest one."""


async def read_body(request: Request, cls: type[T]) -> T:
    """Read the body as a message class. Raises Declined naming the field that is wrong."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX:
            raise Declined("too_large", f"at most {BODY_MAX} bytes are taken")
    try:
        return read_json(cls, bytes(body))
    except RemoteProtocolError as error:
        if error.close_code == 1007:
            raise Declined("not_json", "send the body as JSON") from None
        raise Declined("invalid", str(error)) from None


def answer(value: Any, status: int = 200) -> Response:
    """A message class as the JSON body of an answer, every field included."""
    body = json.dumps(to_dict(value, full=True), ensure_ascii=False, separators=(",", ":"))
    return Response(body, status, media_type="application/json")


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number from the query. Raises Declined."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise Declined("invalid", f"{name}: expected a whole number from {low} to {high}")
    return int(text)
