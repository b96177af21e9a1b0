"""What a route is: who may use it, what goes in and out, what can go wrong, and what the audit log calls it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.responses import Response

from nixfleet_server import logging

log = logging.get(__name__)

API = "/api/v1"
ALWAYS = ("internal", "plain_http", "unavailable")
GUARDED = ("not_authenticated", "scope")
SOCKETS = ("too_many_watchers",)
"""Only sockets answer with these."""
BODY = ("not_json", "invalid", "too_large", "too_slow")


class Query(NamedTuple):
    """A parameter of the query: a whole number from `low` to `high`, else a text, of `words` if there are any."""

    name: str
    text: str
    low: int | None = None
    high: int | None = None
    words: tuple[str, ...] = ()


class Rule(NamedTuple):
    """A route. `scope` is the least an API token needs (a session has all); None means public."""

    method: str
    path: str
    scope: str | None
    endpoint: Callable[..., Awaitable[Response]]
    answer: type | None = None
    """The message class of the answer; None: there is none, or it is not JSON of ours (`media`)."""
    body: type | None = None
    action: str = ""
    """What the audit log calls it. Every route that changes something has one; a test sees to that."""
    status: int = 200
    problems: tuple[str, ...] = ()
    """Codes of `problems.PROBLEMS` beyond those that `codes` adds by itself."""
    query: tuple[Query, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Request headers beyond those of the login: name, meaning."""
    media: str | None = None
    or_status: int | None = None
    """Another status with the same kind of answer, as 503 of `/readyz`."""

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method not in ("GET", "HEAD")

    @property
    def codes(self) -> tuple[str, ...]:
        """Every problem it may answer with."""
        codes = [*self.problems]
        if self.scope is not None:
            codes += GUARDED
            codes += ("csrf",) if self.changes else ()
        codes += BODY if self.body else ("invalid",) if self.query else ()
        return tuple(dict.fromkeys((*codes, *ALWAYS)))


def undocumented(rule: Rule, what: str) -> None:
    """A route answered with what its rule does not tell. It is no reason to fail; the tests make it one."""
    log.error("undocumented answer", method=rule.method, path=rule.path, what=what)
