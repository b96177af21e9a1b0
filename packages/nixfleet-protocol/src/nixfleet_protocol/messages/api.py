"""Bodies of the JSON API under /api/v1."""

from dataclasses import dataclass, field
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, Text
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.fields import (
    Bool,
    Command,
    Count,
    Line,
    Millis,
    RunId,
    Sentence,
    Seq,
    Stream,
    Word,
)
from nixfleet_protocol.messages.parts import Options, RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """POST /session."""

    password: Annotated[str, Text(limits.PASSWORD_MAX, min=1)]
    code: Annotated[Annotated[str, Text(limits.WORD_MAX)] | None, "the second factor, where one is set"] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """Answer to POST and GET /session."""

    csrf: Annotated[Word, "to be sent as X-CSRF-Token with every request that changes something"]
    expires_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """POST /hosts/{id}/runs."""

    command: Command
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostList:
    """GET /hosts: by criticality, then name."""

    hosts: Annotated[tuple[HostView, ...], Items(limits.HOSTS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """GET /runs, newest first. `?host=NAME&limit=N&before=RUN`."""

    runs: Annotated[tuple[RunView, ...], Items(1000)]
    next: Annotated[RunId | None, "pass as `before` for the next page; null on the last"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One record of a log."""

    seq: Annotated[Seq, "counts from 1 without gaps over all streams of the run"]
    at: Millis
    stream: Stream
    line: Line
    partial: Annotated[Bool, "the line goes on in the next record of this stream"] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """GET /runs/{id}/log. `?from=SEQ&limit=N`; with `?format=raw` the program's own bytes instead."""

    run_id: RunId
    records: Annotated[tuple[LogRecord, ...], Items(10_000)]
    next_seq: Annotated[Seq, "ask from here for what follows"]
    complete: Annotated[Bool, "the run has ended and this page reaches its last record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Every error answer (RFC 9457, application/problem+json)."""

    type: Annotated[str, Text(limits.PATH_MAX)] = "about:blank"
    title: Annotated[Sentence, "the kind of error in words"]
    status: Annotated[Count, "the HTTP status, again"]
    code: Annotated[Word, "stable word to branch on, as `host_offline`"]
    detail: Annotated[Sentence, "what was wrong and what to do"] = ""
