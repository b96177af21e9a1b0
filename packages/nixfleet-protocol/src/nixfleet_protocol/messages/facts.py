"""What a host is, runs and carries: told in `register` and heartbeats."""

from dataclasses import dataclass
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, Number, OneOf, Text, Whole
from nixfleet_protocol.messages.fields import (
    Bool,
    Commit,
    Count,
    Millis,
    Path,
    Percent,
    RebootNeed,
    Ref,
    Sentence,
    Word,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One generation of the host's profile: something one can return to."""

    number: Annotated[int, Whole(1, 2**31 - 1)]
    store_path: Annotated[Path | None, "null if it was deleted from the store"] = None
    created_at: Millis | None = None
    version: Annotated[Word | None, "its version label, where it has one"] = None
    selected: Annotated[Bool, "the profile points to it"] = False
    current: Annotated[Bool, "it is what runs now"] = False


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
    configuration_revision: Annotated[
        Word | None, "commit the running system was built from, where its flake tells; `-dirty` if it was"
    ] = None
    wanted_commit: Annotated[Commit | None, "newest commit of the branch, as last fetched"] = None
    wanted_at: Annotated[Millis | None, "when it was last fetched"] = None
    behind: Annotated[Count | None, "commits from `commit` to `wanted_commit`"] = None
    dirty: Annotated[Bool | None, "the working tree has changes of its own"] = None
    profile_path: Annotated[Path | None, "store path of the profile's system: what the next boot starts"] = (
        None
    )
    booted_path: Annotated[Path | None, "store path of the system that was booted"] = None
    specialisation: Annotated[Word | None, "the specialisation that runs, if one does"] = None
    kernel_running: Annotated[Word | None, "version of the kernel that runs"] = None
    kernel_next: Annotated[Word | None, "version of the kernel that the next boot starts"] = None
    system: Annotated[
        Annotated[str, OneOf("normal", "staged", "test", "drift", "unknown", other="unknown")] | None,
        "`staged`: the next boot starts another system; `test`: it runs another on trial; `drift`: it differs unasked",
    ] = None
    changed_outside: Annotated[Bool | None, "somebody else changed the system since NixFleet left it"] = None
    reboot: Annotated[RebootNeed | None, "whether a reboot is needed for all of the profile to run"] = None
    reboot_reasons: Annotated[tuple[Word, ...], Items(limits.NAMES_MAX), "as `kernel`, `initrd`"] = ()
    failed_units: Annotated[
        tuple[Annotated[str, Text(256)], ...], Items(limits.FAILURES_MAX), "units in failed state"
    ] = ()
    generations: Annotated[
        tuple[Generation, ...], Items(limits.GENERATIONS_MAX), "the newest, rising by number"
    ] = ()
    store_free: Annotated[Count | None, "bytes free where the store is"] = None
    store_total: Annotated[Count | None, "bytes of that file system"] = None
    launcher: Annotated[
        Annotated[str, OneOf("socket", "spawn", other="spawn")] | None,
        "`socket`: a root runner by socket activation; `spawn`: runners of the agent's own user",
    ] = None


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
