"""Every request of the JSON API as data, and how to read its answer. No I/O.

A call is sent by a shell. A plan is a generator of calls that needs several: it yields a call, gets its answer sent in,
and returns its result, so that the sync and the async client share it.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from json import dumps
from typing import Any, Generic, TypeVar, cast

from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.errors import ClientError, NotAllowed, NotConnected, Refused, RemoteProtocolError
from nixfleet_protocol.messages.api import HostList, LogPage, LogRecord, Problem, RunList, RunRequest
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.parts import Options, RunView
from nixfleet_protocol.validate import read_json

T = TypeVar("T")
Plan = Generator["Call[Any]", Any, T]

_NAME = re.compile("[A-Za-z0-9_-]{1,64}")

PAGE = 1000
"""Runs and records asked for at once."""
PREFIX_PAGES = 20
"""Pages of runs searched for an id's beginning: the newest 20,000."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request under /api/v1; `reads` is the class of its answer, `key` its Idempotency-Key."""

    method: str
    path: str
    reads: type[T]
    params: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are its own."""
        found = {"Content-Type": "application/json"} if self.body else {}
        return found | ({"Idempotency-Key": self.key} if self.key else {})


def hosts() -> Call[HostList]:
    return Call("GET", "/hosts", HostList)


def host(host_id: str) -> Call[HostView]:
    return Call("GET", f"/hosts/{part(host_id, 'host')}", HostView)


def start(host_id: str, command: str, options: Options, key: str | None = None) -> Call[RunView]:
    body = dumps(to_dict(RunRequest(command=command, options=options))).encode()
    return Call("POST", f"/hosts/{part(host_id, 'host')}/runs", RunView, body=body, key=key)


def run(run_id: str) -> Call[RunView]:
    return Call("GET", f"/runs/{part(run_id, 'run')}", RunView)


def stop(run_id: str) -> Call[RunView]:
    return Call("POST", f"/runs/{part(run_id, 'run')}/stop", RunView)


def log_page(run_id: str, from_seq: int) -> Call[LogPage]:
    params = {"from": str(from_seq), "limit": str(PAGE)}
    return Call("GET", f"/runs/{part(run_id, 'run')}/log", LogPage, params)


def raw_log(run_id: str) -> Call[bytes]:
    return Call("GET", f"/runs/{part(run_id, 'run')}/log", bytes, {"format": "raw"})


def runs(host_id: str | None, limit: int) -> Plan[list[RunView]]:
    """The newest `limit` runs, of one host or of all."""
    found: list[RunView] = []
    before: str | None = None
    while len(found) < limit:
        page = yield _runs_page(host_id, min(PAGE, limit - len(found)), before)
        found += page.runs
        before = page.next
        if before is None or not page.runs:
            break
    return found[:limit]


def find_run(word: str) -> Plan[RunView]:
    """The run whose id is, or begins with, `word`. Raises Refused when none or several do."""
    if len(word) == 32 or not word or not set(word) <= set("0123456789abcdef"):
        whole: RunView = yield run(word)
        return whole
    found: list[RunView] = []
    before: str | None = None
    for _ in range(PREFIX_PAGES):
        page = yield _runs_page(None, PAGE, before)
        found += (view for view in page.runs if view.run_id.startswith(word))
        before = page.next
        if before is None:
            break
    if not found:
        raise Refused(
            f"no run's id begins with {word}; `nixfleet runs` lists them", status=404, code="no_such_run"
        )
    if len(found) > 1:
        some = ", ".join(view.run_id[: len(word) + 6] for view in found[:4])
        raise Refused(
            f"{len(found)} runs begin with {word} ({some}…); give more of the id",
            status=422,
            code="ambiguous_run",
        )
    return found[0]


def records_of(page: LogPage, asked: int) -> tuple[tuple[LogRecord, ...], int | None]:
    """The records of a page, and where the next page begins; None when there is no more for now."""
    more = bool(page.records) and not page.complete and page.next_seq > asked
    return page.records, page.next_seq if more else None


def read_answer(call: Call[T], status: int, body: bytes) -> T:
    """The answer, or the error it stands for: NotAllowed, Refused, or NotConnected when it isn't NixFleet's."""
    if 200 <= status < 300:
        if call.reads is type(None) or call.reads is bytes:
            return cast("T", None if call.reads is type(None) else body)
        try:
            return read_json(call.reads, body)
        except RemoteProtocolError as error:
            raise NotConnected(
                f"the answer is not one of NixFleet's ({error}): is the server's URL right?"
            ) from None
    raise _error(status, body)


def _error(status: int, body: bytes) -> ClientError:
    try:
        problem = read_json(Problem, body)
    except RemoteProtocolError:
        if status in (401, 403):
            return NotAllowed(f"the server refused the token (HTTP {status})")
        hint = "is it up?" if status >= 500 else "is the server's URL right?"
        return NotConnected(f"HTTP {status}, and not from NixFleet: {hint}")
    text = problem.detail or problem.title
    if problem.code == "not_found":  # no such route: not a host or run that is missing
        return NotConnected(
            "there is no such address on the server: is its URL right (no path behind the name)?"
        )
    if status in (401, 403):
        return NotAllowed(text)
    return Refused(text, status=status, code=problem.code)


def _runs_page(host_id: str | None, limit: int, before: str | None) -> Call[RunList]:
    params = {"host": host_id, "limit": str(limit), "before": before}
    return Call("GET", "/runs", RunList, {key: value for key, value in params.items() if value})


def part(text: str, what: str) -> str:
    """One part of a path. What no name and no id looks like is refused here, before it can become another path."""
    if not _NAME.fullmatch(text):
        raise Refused(
            f"{text!r} can't be the name or id of a {what}; `nixfleet {what}s` lists them",
            status=404,
            code=f"no_such_{what}",
        )
    return text
