"""What messages are made of: nested values that several of them carry."""

from dataclasses import dataclass, field
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, OneOf, Text, Whole
from nixfleet_protocol.messages.fields import (
    Bool,
    Command,
    Commit,
    Count,
    ExitCode,
    HostId,
    Millis,
    Path,
    RebootNeed,
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
class Options:
    """Options of a command; which command takes which is in the commands table."""

    ref: Annotated[Ref | None, "branch, tag or commit instead of the configured branch"] = None
    generation: Annotated[
        Annotated[int, Whole(1, 2**31 - 1)] | None, "generation to return to, or to compare with what runs"
    ] = None
    target: Annotated[RunId | None, "for `stop`: the run to stop; without it whatever runs"] = None
    timeout: Annotated[Seconds | None, "seconds after which the run is ended as `timed_out`"] = None
    queue: Annotated[Bool, "keep the run until the host is connected and free, instead of refusing it"] = (
        False
    )
    expires: Annotated[Seconds | None, "seconds a queued run waits for its host; then it is `expired`"] = None
    force: Annotated[
        Bool, "switch: also to a system that was rolled back before; stop: also an activation"
    ] = False
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
class NixProgress:
    """How far Nix is, as its own progress bar counts. Totals grow while it plans."""

    planning: Annotated[Bool, "totals are still a guess: show no percentage"] = True
    built: Annotated[Count, "derivations built"] = 0
    to_build: Annotated[Count, "derivations to build in all"] = 0
    building: Annotated[Count, "derivations being built now"] = 0
    failed: Annotated[Count, "derivations that failed"] = 0
    copied: Annotated[Count, "store paths copied"] = 0
    to_copy: Annotated[Count, "store paths to copy in all"] = 0
    unpacked: Annotated[Count, "bytes added to the store"] = 0
    to_unpack: Annotated[Count, "bytes to add in all"] = 0
    downloaded: Annotated[Count, "bytes received over the network"] = 0
    to_download: Annotated[Count, "bytes to receive in all"] = 0
    current: Annotated[str, Text(256), "name of what it builds now, else of what it copies"] = ""
    build_phase: Annotated[str, Text(256), "phase of `current`, as `buildPhase`"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressState:
    """How far a run is. Latest wins; it is not kept when a connection breaks."""

    phase: Annotated[Word, "what it does now: `fetch`, `switch`, `test`, …"]
    current: Annotated[Count, "steps done"] = 0
    total: Annotated[Count, "steps in all; 0 while unknown"] = 0
    passed: Annotated[Count | None, "tests passed so far"] = None
    failed: Annotated[Count | None, "tests failed so far"] = None
    label: Annotated[Sentence, "the current step in words, as `3/10 T03-dns.sh`"] = ""
    nix: Annotated[NixProgress | None, "what Nix builds and copies, while it does"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a command that has several, in the order they began."""

    name: Annotated[Word, "`pull`, `build`, `activate`, `confirm`, `profile`, `boot`, `rollback`, …"]
    outcome: Annotated[
        str,
        OneOf("ok", "degraded", "failed", "skipped", "stopped", other="failed"),
        "`skipped`: not needed, `message` says why",
    ]
    message: Annotated[Sentence, "the outcome in one line"] = ""
    seconds: Annotated[Seconds, "how long it took"] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailure:
    """A derivation that did not build: its own failure, not that of something it needs."""

    name: Annotated[str, Text(256)]
    derivation: Annotated[Path, "store path, for `nix log`"] = ""
    reason: Annotated[Sentence, "what Nix says went wrong"] = ""
    log: Annotated[str, Text(limits.FAILURE_OUTPUT_MAX), "the last lines its builder printed"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left behind beyond its result; every part is empty where it doesn't apply."""

    steps: Annotated[tuple[Step, ...], Items(limits.STEPS_MAX)] = ()
    failed_units: Annotated[
        tuple[Annotated[str, Text(256)], ...], Items(limits.FAILURES_MAX), "units that failed to start"
    ] = ()
    failures: Annotated[tuple[BuildFailure, ...], Items(limits.BUILD_FAILURES_MAX), "what did not build"] = ()
    changes: Annotated[str, Text(limits.CHANGES_MAX), "closure difference, one package a line"] = ""
    units: Annotated[str, Text(limits.CHANGES_MAX), "units that would change, as dry activation tells"] = ""
    store_path: Annotated[Path | None, "the system that was built"] = None
    previous: Annotated[Path | None, "the system that ran before"] = None
    reboot: Annotated[RebootNeed | None, "whether a reboot is needed afterwards"] = None
    reboot_reasons: Annotated[tuple[Word, ...], Items(limits.NAMES_MAX)] = ()


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
    outcome: Annotated[Outcome | None, "steps, failed units, failed builds, closure difference"] = None
    bulk_id: Annotated[RunId | None, "the bulk dispatch it belongs to"] = None
    expires_at: Annotated[Millis | None, "when it is given up, while it is queued"] = None
    warn_at: Annotated[
        Millis | None, "when it counts as slow; null once the operator chose to ignore that"
    ] = None
    timeout_at: Annotated[Millis | None, "when it is ended as `timed_out`; null: never"] = None
    progress: Annotated[ProgressState | None, "the newest, while it runs"] = None
    log_removed_at: Annotated[Millis | None, "when its log was removed, as the operator's settings say"] = (
        None
    )
