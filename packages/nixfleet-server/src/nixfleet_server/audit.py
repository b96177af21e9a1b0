"""The audit log: who did what, from where, and what came of it.

`api.guarded` writes an entry for every login and every change; the commands of `nixfleet-server` write theirs. An endpoint
adds what only it knows with `note`.
"""

from typing import Any

from starlette.requests import HTTPConnection

from nixfleet_server import logging
from nixfleet_server.context import client_of, context
from nixfleet_server.domain.login import attempt
from nixfleet_server.store import audits

log = logging.get(__name__)

CONSOLE = "console"
"""Who used `nixfleet-server` on the server's own machine."""
REFUSED_PER_MINUTE = 20
"""Entries of what was refused to one address: whoever tries for ever must not push the rest out of the log."""
NOT_WRITTEN = ("too_many_logins", "too_many_attempts")
"""Outcomes that only the server's log has: nothing was looked at, and there can be any number of them."""


def note(request: HTTPConnection, **fields: Any) -> None:
    """Add to the request's entry: `who`, `subject`, `detail`, `run_id`. Never a secret."""
    _notes(request).update(fields)


async def record(request: HTTPConnection, action: str, who: str, outcome: str, detail: str) -> None:
    """Write the request's entry. That it can't be written is logged, and undoes nothing."""
    shared = context(request)
    address = client_of(request)
    if outcome in NOT_WRITTEN:
        return
    if outcome != "ok":
        shared.refusals, wait = attempt(
            shared.refusals, address, shared.hub.monotonic(), most=REFUSED_PER_MINUTE
        )
        if wait > 0:
            return
    fields = {
        "who": who,
        "subject": " ".join(str(part) for part in request.path_params.values()),
        "detail": detail,
        **_notes(request),
    }
    now = shared.hub.now()
    try:
        await shared.hub.db.write(
            lambda db: audits.add(db, now, action=action, address=address, outcome=outcome, **fields)
        )
    except Exception:
        log.exception("not written to the audit log", action=action, outcome=outcome, who=fields["who"])


def _notes(request: HTTPConnection) -> dict[str, Any]:
    if not hasattr(request.state, "audit"):
        request.state.audit = {}
    found: dict[str, Any] = request.state.audit
    return found
