"""Bodies and parameters in, answers out."""

import asyncio
import json
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.validate import read_json
from nixfleet_server.context import context
from nixfleet_server.errors import Declined

T = TypeVar("T")

BODY_MAX = 64 * 1024
"""Bytes of a request's body: many times the largest honest one."""


async def read_body(request: Request, cls: type[T], most: int = BODY_MAX) -> T:
    """Read the body, of at most so many bytes, as a message class. Raises Declined naming the field that is wrong."""
    seconds = context(request).body_timeout
    try:
        async with asyncio.timeout(seconds):
            body = await _read(request, most)
    except TimeoutError:
        text = f"the body has to come within {seconds:g} seconds"
        raise Declined("too_slow", text, headers={"Connection": "close"}) from None
    try:
        return read_json(cls, body)
    except RemoteProtocolError as error:
        if error.close_code == 1007:
            raise Declined("not_json", "send the body as JSON") from None
        raise Declined("invalid", str(error)) from None


async def _read(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Declined("too_large", f"at most {most} bytes are taken")
    return bytes(body)


class Answer(Response):
    """An answer that `carries` a message class."""

    media_type = "application/json"
    carries: type


def answer(value: Any, status: int = 200) -> Answer:
    """A message class as the JSON body of an answer, every field included."""
    result = Answer(json.dumps(to_dict(value, full=True), ensure_ascii=False, separators=(",", ":")), status)
    result.carries = type(value)
    return result


def nothing() -> Response:
    """Done, and there is nothing to say about it."""
    return Response(status_code=204)


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number from the query. Raises Declined."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise Declined("invalid", f"{name}: expected a whole number from {low} to {high}")
    return int(text)
