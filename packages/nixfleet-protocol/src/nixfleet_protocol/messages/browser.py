"""Messages between the server and browsers (and scripts that follow output)."""

from dataclasses import dataclass
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, OneOf
from nixfleet_protocol.messages.facts import Facts, Metrics
from nixfleet_protocol.messages.fields import (
    Bool,
    Command,
    Count,
    Criticality,
    HostId,
    Interval,
    Line,
    Millis,
    Notes,
    Percent,
    Pid,
    Platform,
    Presence,
    ProtocolVersion,
    RunId,
    Sentence,
    Seq,
    Stream,
    Word,
)
from nixfleet_protocol.messages.parts import ProgressState, RunView
from nixfleet_protocol.messages.registry import BROWSER_TO_SERVER, SERVER_TO_BROWSER, message


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """A host as the server knows it."""

    host_id: HostId
    criticality: Criticality = "medium"
    presence: Presence = "new"
    connected: Annotated[Bool, "its agent is connected now"] = False
    last_seen_at: Annotated[Millis | None, "last message from it, by the server's clock"] = None
    interval: Annotated[Interval, "seconds between its heartbeats"] = limits.INTERVAL_DEFAULT
    platform: Platform = "unknown"
    agent_version: Annotated[Word | None, "version of the nixfleet-agent package"] = None
    protocol: ProtocolVersion | None = None
    compatible: Annotated[Bool, "false: its agent is too old or too new, only `update` is possible"] = True
    commands: Annotated[tuple[Command, ...], Items(limits.NAMES_MAX), "commands it can do"] = ()
    facts: Annotated[Facts | None, "as last told; null when it never connected"] = None
    metrics: Annotated[Metrics | None, "from the last heartbeat; null when it sent none"] = None
    pending_command: Annotated[Command | None, "the command under way, `stop` and `restart` aside"] = None
    command_pid: Annotated[Pid | None, "process id of the runner on the host"] = None
    run_id: Annotated[RunId | None, "the run under way"] = None
    last_run: Annotated[RunView | None, "the newest run: the one under way, else the last that ended"] = None
    queued: Annotated[Count, "runs that wait for it to connect"] = 0
    notes: Annotated[Notes, "the operator's own words about it"] = ""
    created_at: Annotated[Millis | None, "when it was added"] = None
    availability: Annotated[Percent | None, "share of the last 30 days it was there, while it was known"] = (
        None
    )
    flapping: Annotated[Bool, "two agents take turns with its token"] = False
    token_overlap_until: Annotated[
        Millis | None, "until then its token before the last rotation works too"
    ] = None


@message("snapshot", SERVER_TO_BROWSER)
class Snapshot:
    """First message on a connection: everything, in the order to show it. Updates follow."""

    protocol: ProtocolVersion
    server_version: Annotated[Word, "version of the nixfleet-server package"]
    at: Annotated[Millis, "the server's clock"]
    hosts: Annotated[tuple[HostView, ...], Items(limits.HOSTS_MAX), "by criticality, then name"]


@message("host_update", SERVER_TO_BROWSER)
class HostUpdate(HostView):
    """A host is new or changed; replaces all that was known of it. At most one per host is ever waiting to be sent."""


@message("host_removed", SERVER_TO_BROWSER)
class HostRemoved:
    """A host was removed."""

    host_id: HostId


@message("run_update", SERVER_TO_BROWSER)
class RunUpdate(RunView):
    """A run is new or changed. Also the first answer to `subscribe`."""


@message("command_output", SERVER_TO_BROWSER)
class CommandOutput:
    """One record of a subscribed run's log, in order and without gaps."""

    host_id: HostId
    run_id: RunId
    command: Command
    seq: Annotated[Seq, "counts from 1 without gaps over all streams of the run"]
    stream: Stream
    line: Line
    at: Millis
    partial: Annotated[Bool, "the line goes on in the next record of this stream"] = False


@message("command_progress", SERVER_TO_BROWSER)
class CommandProgress:
    """How far a run is."""

    host_id: HostId
    run_id: RunId
    command: Command
    progress: ProgressState


@message("notice", SERVER_TO_BROWSER)
class Notice:
    """Something to tell the operator."""

    level: Annotated[str, OneOf("info", "warning", "error", other="info")]
    text: Annotated[Sentence, "for the operator to read"]
    run_id: Annotated[RunId | None, "the run it is about, as for a subscription that was refused"] = None


@message("subscribe", BROWSER_TO_SERVER)
class Subscribe:
    """Send a run's log from a record on: history, then live, through one path. Subscribing beyond the end is legal."""

    run_id: RunId
    from_seq: Annotated[Seq, "first record wanted"] = 1


@message("unsubscribe", BROWSER_TO_SERVER)
class Unsubscribe:
    """No more of this run."""

    run_id: RunId
