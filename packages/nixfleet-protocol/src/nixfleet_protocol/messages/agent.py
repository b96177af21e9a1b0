"""Messages between agent and server."""

from dataclasses import field
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, OneOf
from nixfleet_protocol.messages.facts import Facts, Metrics
from nixfleet_protocol.messages.fields import (
    AgentStatus,
    Bool,
    Command,
    Commit,
    ExitCode,
    HostId,
    Interval,
    Line,
    Millis,
    Pid,
    Platform,
    ProtocolVersion,
    RunId,
    Seconds,
    Sentence,
    Seq,
    Stream,
    Word,
)
from nixfleet_protocol.messages.parts import (
    HeldRun,
    KnownRun,
    Options,
    Outcome,
    ProgressState,
    TestReport,
)
from nixfleet_protocol.messages.registry import AGENT_TO_SERVER, SERVER_TO_AGENT, message


@message("register", AGENT_TO_SERVER)
class Register:
    """First message on a connection: who the agent is, what it can do, which runs it holds."""

    hostname: Annotated[HostId, "for display and checks only: the token alone says which host this is"]
    protocol: Annotated[ProtocolVersion, "highest version the agent speaks"]
    agent_version: Annotated[Word, "version of the nixfleet-agent package"]
    platform: Platform
    interval: Annotated[Interval, "seconds between heartbeats"]
    capabilities: Annotated[tuple[Word, ...], Items(limits.NAMES_MAX), "see `versions.CAPABILITIES`"] = ()
    commands: Annotated[tuple[Command, ...], Items(limits.NAMES_MAX), "commands this host can do"] = ()
    facts: Facts = field(default_factory=Facts)
    runs: Annotated[
        tuple[KnownRun, ...], Items(limits.RUNS_MAX), "journals the server may not have whole"
    ] = ()


@message("heartbeat", AGENT_TO_SERVER)
class Heartbeat:
    """Sent right after `registered` and then every interval, also while a command runs."""

    at: Annotated[Millis, "the agent's clock, to reveal skew"]
    facts: Annotated[Facts | None, "null when unchanged since the last one sent on this connection"] = None
    metrics: Annotated[Metrics | None, "null when not available"] = None
    pending_command: Annotated[Command | None, "the command that runs, if any"] = None
    command_pid: Annotated[Pid | None, "process id of its runner"] = None
    run_id: Annotated[RunId | None, "its run"] = None


@message("output", AGENT_TO_SERVER)
class Output:
    """One record of a run's log, already on the agent's disk."""

    run_id: RunId
    command: Command
    seq: Annotated[Seq, "counts from 1 without gaps over all streams of the run"]
    stream: Stream
    line: Line
    at: Millis
    partial: Annotated[Bool, "the line goes on in the next record of this stream"] = False


@message("progress", AGENT_TO_SERVER)
class Progress:
    """How far a run is, at most 4 times a second."""

    run_id: RunId
    command: Command
    progress: ProgressState


@message("status", AGENT_TO_SERVER)
class Status:
    """A run began (`running`) or ended (any other status). The end is sent until the server acknowledges it."""

    run_id: RunId
    command: Command
    status: AgentStatus
    at: Annotated[Millis, "when it began or ended, by the agent's clock"]
    last_seq: Annotated[
        Seq, "last record of the log; the run ends at the server when it is durable through it"
    ] = 0
    exit_code: Annotated[ExitCode | None, "the command's exit code; 128+n for signal n"] = None
    message: Annotated[Sentence, "the outcome in one line"] = ""
    pid: Annotated[Pid | None, "process id of the runner"] = None
    generation: Annotated[Word | None, "generation afterwards"] = None
    commit: Annotated[Commit | None, "the repository's commit afterwards"] = None
    tests: Annotated[TestReport | None, "for `test`"] = None
    outcome: Annotated[Outcome | None, "steps, failed units, failed builds, closure difference"] = None


@message("pong", AGENT_TO_SERVER)
class Pong:
    """Answer to `ping`."""

    at: Annotated[Millis, "copied from the ping"]


@message("registered", SERVER_TO_AGENT)
class Registered:
    """The connection is established: what was agreed, and where each run goes on."""

    host_id: HostId
    protocol: Annotated[ProtocolVersion, "the agreed version"]
    server_version: Annotated[Word, "version of the nixfleet-server package"]
    at: Annotated[Millis, "the server's clock"]
    compatible: Annotated[Bool, "false: only `command update` can follow"] = True
    capabilities: Annotated[tuple[Word, ...], Items(limits.NAMES_MAX), "what both can do"] = ()
    runs: Annotated[tuple[HeldRun, ...], Items(limits.RUNS_MAX), "one for each run of `register`"] = ()


@message("command", SERVER_TO_AGENT)
class CommandMessage:
    """Start a run. Sent again under the same `run_id` it is answered with that run's state, never started twice."""

    run_id: RunId
    command: Command
    options: Options = field(default_factory=Options)


@message("ack", SERVER_TO_AGENT)
class Ack:
    """Every record of the run up to `seq` is durable at the server; with `ended` its result is too."""

    run_id: RunId
    seq: Annotated[Seq, "last durable record; 0 when there is none"]
    ended: Annotated[Bool, "the result is durable; the agent may forget the run"] = False


@message("ping", SERVER_TO_AGENT)
class Ping:
    """Sent every 15 seconds, so that silence means a dead connection."""

    at: Millis


@message("goodbye", SERVER_TO_AGENT)
class Goodbye:
    """The server is about to close; come back between `retry_min` and `retry_max` seconds from now."""

    reason: Annotated[str, OneOf("shutdown", "replaced", "revoked", "removed", other="other")]
    message: Annotated[Sentence, "the reason in words"] = ""
    retry_min: Annotated[Seconds, "seconds to stay away at least"] = 1.0
    retry_max: Annotated[Seconds, "seconds to stay away at most"] = 5.0
