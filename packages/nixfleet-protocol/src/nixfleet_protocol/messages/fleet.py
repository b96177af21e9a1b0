"""Bodies of the JSON API about the fleet: adding and changing hosts, many runs at once, history and search."""

from dataclasses import dataclass, field
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, Number, OneOf, Text, Whole
from nixfleet_protocol.messages.fields import (
    Bool,
    Command,
    Count,
    Criticality,
    HostId,
    Line,
    Millis,
    Notes,
    Percent,
    RunId,
    Seconds,
    Sentence,
    Seq,
    Word,
)
from nixfleet_protocol.messages.parts import Options, RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRequest:
    """POST /hosts: add one. Answers HostToken."""

    host_id: HostId
    criticality: Criticality = "medium"
    notes: Notes = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChange:
    """PATCH /hosts/{id}; null leaves a field as it is. Answers HostView."""

    criticality: Criticality | None = None
    notes: Notes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostToken:
    """Answer to POST /hosts and POST /hosts/{id}/token."""

    host_id: HostId
    token: Annotated[str, Text(256, min=1), "shown this once"]
    overlap_until: Annotated[Millis | None, "until then the token before it works too"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRotation:
    """POST /hosts/{id}/token: a new token. DELETE there revokes all of the host's tokens at once."""

    overlap: Annotated[
        Annotated[int, Whole(0, 30 * 86400)],
        "seconds that the old token goes on to work; 0 ends its connection",
    ] = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRequest:
    """POST /runs: one command on many hosts, one run each. Answers BulkView."""

    hosts: Annotated[tuple[HostId, ...], Items(limits.BULK_MAX)]
    command: Command
    options: Options = field(default_factory=Options)
    concurrency: Annotated[
        Annotated[int, Whole(0, limits.BULK_MAX)], "at most so many run at a time, in the order given; 0: all"
    ] = 0
    stop_on_failure: Annotated[Bool, "after one fails, what has not begun is not begun"] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkItem:
    """One host of a bulk dispatch."""

    host_id: HostId
    run: Annotated[RunView | None, "null while it waits its turn, and where it was refused"] = None
    problem: Annotated[Word, "why it was refused, as `host_offline`; empty if it was not"] = ""
    detail: Sentence = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkView:
    """Answer to POST /runs, GET /bulk/{id} and POST /bulk/{id}/stop."""

    bulk_id: RunId
    command: Command
    state: Annotated[str, OneOf("running", "ended", other="running")]
    items: Annotated[tuple[BulkItem, ...], Items(limits.BULK_MAX), "in the order given"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutChoice:
    """POST /runs/{id}/timeout: what to do about a run that takes long. Answers RunView."""

    action: Annotated[
        str, OneOf("wait", "stop", "ignore"), "`wait`: `seconds` more; `ignore`: as long as it takes"
    ]
    seconds: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMatch:
    """One record that holds the words."""

    seq: Seq
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSearch:
    """GET /runs/{id}/search. `?q=TEXT&from=SEQ&limit=N`: case-insensitive, over the whole log."""

    run_id: RunId
    matches: Annotated[tuple[LogMatch, ...], Items(1000), "rising by seq, from `from` on"]
    total: Annotated[Count, "matches in the whole log, counted to 100,000"]
    next_seq: Annotated[Seq | None, "ask from here for more; null when there is no more"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsHistory:
    """GET /hosts/{id}/metrics: the last 24 hours, as columns of one length, rising by time."""

    host_id: HostId
    at: Annotated[tuple[Millis, ...], Items(limits.POINTS_MAX)] = ()
    cpu: Annotated[tuple[Percent | None, ...], Items(limits.POINTS_MAX)] = ()
    ram: Annotated[tuple[Percent | None, ...], Items(limits.POINTS_MAX)] = ()
    swap: Annotated[tuple[Percent | None, ...], Items(limits.POINTS_MAX)] = ()
    load: Annotated[tuple[Annotated[float, Number(0, 1e6)] | None, ...], Items(limits.POINTS_MAX)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStats:
    """GET /stats: the last 30 days."""

    hosts: Count = 0
    online: Count = 0
    deployments: Annotated[Count, "switches, roll backs and updates that ended"] = 0
    successful: Annotated[Count, "of them, those that ended as `ok`"] = 0
    availability: Annotated[Percent | None, "mean over the hosts"] = None
