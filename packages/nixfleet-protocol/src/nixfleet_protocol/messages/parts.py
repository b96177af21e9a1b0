"""What messages are made of: nested values that several of them carry."""

from dataclasses import dataclass, field
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, Number, Text, Whole
from nixfleet_protocol.messages.fields import (
    Bool,
    Command,
    Commit,
    Count,
    ExitCode,
    HostId,
    Millis,
    Path,
    Percent,
    Ref,
    Result,
    RunId,
    RunState,
    Seconds,
    Sentence,
    Seq,
    Word,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a host is and runs. A missing fact is null, never a guess."""

    os: Annotated[Word | None, "operating system, as `NixOS` or `macOS` or a distribution's name"] = None
    os_version: Annotated[Word | None, "its version"] = None
    nixpkgs_version: Annotated[Word | None, "nixpkgs version or revision the system was built from"] = None
    generation: Annotated[Word | None, "the deployed system: profile generation number, or a short id"] = None
    store_path: Annotated[Path | None, "the current system's store path"] = None
    commit: Annotated[Commit | None, "commit checked out in the agent's repository"] = None
    branch: Annotated[Ref | None, "branch the repository follows"] = None
    repo_error: Annotated[Sentence | None, "why the repository can't be used, if so"] = None
    boot_id: Annotated[Word | None, "changes with each boot"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Load of the host, from StaSysMo files or measured by the agent."""

    cpu: Annotated[Percent | None, "busy share of all cores since the last heartbeat, percent"] = None
    ram: Annotated[Percent | None, "memory in use, percent"] = None
    swap: Annotated[Percent | None, "swap in use, percent"] = None
    load: Annotated[Annotated[float, Number(0, 1e6)] | None, "1-minute load average"] = None
    cores: Annotated[Annotated[int, Whole(1, 65536)] | None, "logical processors, to judge the load by"] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a command; which command takes which is in the commands table."""

    ref: Annotated[Ref | None, "branch, tag or commit instead of the configured branch"] = None
    generation: Annotated[Annotated[int, Whole(1, 2**31 - 1)] | None, "generation to return to"] = None
    target: Annotated[RunId | None, "for `stop`: the run to stop; without it whatever runs"] = None
    timeout: Annotated[Seconds | None, "seconds after which the run is ended as `timed_out`"] = None
    queue: Annotated[Bool, "keep the run until the host connects, instead of refusing it"] = False
    reason: Annotated[Sentence | None, "why, for the record"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run that the agent holds a journal of and the server has not confirmed as ended."""

    run_id: RunId
    command: Command
    ended: Annotated[Bool, "the journal has a result"]
    last_seq: Annotated[Seq, "last output record in the journal, 0 if none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRun:
    """The server's answer to a KnownRun."""

    run_id: RunId
    have: Annotated[Seq, "the server has every record up to this one, durably; send from the next"]
    ended: Annotated[Bool, "the server holds the result durably; the agent may forget the run"] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFailure:
    """One failed test."""

    name: Annotated[Word, "the script's file name"]
    exit_code: Annotated[ExitCode | None, "128+n for signal n"] = None
    output: Annotated[str, Text(limits.FAILURE_OUTPUT_MAX), "the end of what it printed"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """Outcome of `test`. `passed + failed < total` when it was stopped."""

    total: Annotated[Count, "tests found"]
    passed: Annotated[Count, "tests that exited with 0"]
    failed: Annotated[Count, "tests that did not"]
    failures: Annotated[tuple[TestFailure, ...], Items(limits.FAILURES_MAX), "in the order they ran"] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressState:
    """How far a run is. Latest wins; it is not kept when a connection breaks."""

    phase: Annotated[Word, "what it does now: `fetch`, `switch`, `test`, …"]
    current: Annotated[Count, "steps done"] = 0
    total: Annotated[Count, "steps in all; 0 while unknown"] = 0
    passed: Annotated[Count | None, "tests passed so far"] = None
    failed: Annotated[Count | None, "tests failed so far"] = None
    label: Annotated[Sentence, "the current step in words, as `3/10 T03-dns.sh`"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run as the server knows it."""

    run_id: RunId
    host_id: HostId
    command: Command
    options: Options = field(default_factory=Options)
    state: RunState
    result: Annotated[Result | None, "null until `ended`"] = None
    exit_code: Annotated[ExitCode | None, "the command's own exit code; 128+n for signal n"] = None
    message: Annotated[Sentence, "the outcome in one line"] = ""
    started_by: Annotated[Word, "`admin`, or the API token's name"] = ""
    created_at: Millis
    started_at: Annotated[Millis | None, "when the agent began"] = None
    ended_at: Annotated[Millis | None, "when the result became durable here"] = None
    lines: Annotated[Seq, "records in the log so far; final once `ended`"] = 0
    generation: Annotated[Word | None, "the host's generation afterwards"] = None
    commit: Annotated[Commit | None, "the repository's commit afterwards"] = None
    tests: Annotated[TestReport | None, "for `test`"] = None
    progress: Annotated[ProgressState | None, "the newest, while it runs"] = None
