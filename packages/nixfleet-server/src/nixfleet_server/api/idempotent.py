"""Idempotency-Key: a script that got no answer sends its dispatch again, and gets the run that came of it, not a second one.

A key holds for who used it and for 24 hours, also over a restart: it is written in the transaction that makes the run.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlmodel import Session as Db
from starlette.requests import Request

from nixfleet_protocol.encode import to_dict
from nixfleet_server.audit import note
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.errors import Declined
from nixfleet_server.store import idempotency

T = TypeVar("T")
Also = Callable[[Db, str], None]
"""Writes the id of what came of the dispatch, in its own transaction."""

KEY_MAX = 255
HEADER = (
    "Idempotency-Key",
    f"1 to {KEY_MAX} printable characters; sent again within 24 hours with the same body it gets the same answer",
)
PROBLEMS = ("key_reused",)


async def once(
    request: Request,
    principal: Principal,
    body: Any,
    begin: Callable[[Also | None], Awaitable[T]],
    again: Callable[[str], Awaitable[T]],
) -> T:
    """What `begin` gives, or for a key that was used already, what `again` gives for the id that came of it.

    Raises Declined when the key is none, or was used with another body.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return await begin(None)
    if not (0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable()):
        raise Declined("invalid", f"Idempotency-Key: expected 1 to {KEY_MAX} printable characters")
    shared = context(request)
    whose = "admin" if principal.session_id else principal.key
    key_hash = _hash(whose, key)
    body_hash = _hash(request.method, request.url.path, json.dumps(to_dict(body), sort_keys=True))
    async with shared.idempotent.of(key_hash):
        now = shared.hub.now()
        found = await shared.hub.db.read(lambda db: idempotency.find(db, key_hash, now))
        if found is None:
            return await begin(lambda db, made: idempotency.keep(db, key_hash, body_hash, made, now))
        if found.body_hash != body_hash:
            raise Declined("key_reused", "this Idempotency-Key was used for another request: take a new one")
        note(request, detail="the same request again")
        return await again(found.result_id)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
