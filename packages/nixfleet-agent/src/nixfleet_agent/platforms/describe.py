"""A Nix host in the words of the protocol: its facts, what was built, what was not."""

import os

from nixfleet_agent.nix.facts import HostFacts
from nixfleet_agent.nix.progress import Snapshot
from nixfleet_agent.nix.root import Root
from nixfleet_agent.nix.text import plain, store_name
from nixfleet_agent.runner.ends import Ran
from nixfleet_protocol import limits
from nixfleet_protocol.messages import Facts, Generation


def facts(host: HostFacts, root: Root) -> Facts:
    """What a Nix host tells, cut to what a message may hold."""
    store = root.resolve(os.environ.get("NIX_STORE_DIR") or "/nix/store")
    free, total = space(root.real(store)) if store else (None, None)
    return Facts(
        os=_word(host.os),
        os_version=_word(host.os_version),
        nixpkgs_version=_word(host.nixpkgs_revision or (host.os_version if host.os == "NixOS" else None)),
        generation=str(host.generation) if host.generation else None,
        store_path=_path(host.current),
        configuration_revision=_word(host.configuration_revision),
        profile_path=_path(host.profile),
        booted_path=_path(host.booted),
        specialisation=_word(host.specialisation),
        kernel_running=_word(host.kernels.running),
        kernel_next=_word(host.kernels.profile),
        system=host.state,
        changed_outside=host.changed_outside,
        reboot=host.reboot.state,
        reboot_reasons=host.reboot.reasons,
        generations=tuple(
            Generation(
                number=one.number,
                store_path=_path(one.store_path),
                created_at=one.created_at,
                version=_word(_version(root, one.store_path)),
                selected=one.selected,
                current=one.store_path is not None and one.store_path == host.current,
            )
            for one in host.generations[-limits.GENERATIONS_MAX :]
            if one.number > 0
        ),
        store_free=free,
        store_total=total,
    )


def space(path: str) -> tuple[int | None, int | None]:
    """Bytes free (for anyone) and in all of the file system at a path; None where it isn't there."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def build_failure(snapshot: Snapshot, ran: Ran) -> str:
    """Why a build failed, in one line: the derivations, else what Nix said first."""
    names = [failure.name for failure in snapshot.failures]
    if names:
        listed = f"{', '.join(names[:5])}{' …' if len(names) > 5 else ''}"
        return f"the build failed: {listed}: {_why(snapshot.failures[0].reason)}"
    reason = " ".join(snapshot.error.split("\n")) or ran.last_line or f"exit code {ran.exit_code}"
    return f"the configuration could not be built: {reason}"


def built(snapshot: Snapshot, system: str) -> str:
    """What a build did: `nixos-system-web1-25.11: 3 built, 12 copied`."""
    words = [
        f"{number} {word}"
        for number, word in ((snapshot.builds.done, "built"), (snapshot.copies.done, "copied"))
        if number
    ]
    return f"{store_name(system)}: {', '.join(words) or 'nothing to do'}"


def output(tail: bytes) -> str:
    """A program's output as plain text."""
    return plain(tail.decode(errors="replace")).strip()


def _why(reason: str) -> str:
    """The line of an error that tells most: newer Nix puts `Reason: …` behind what could not be built."""
    lines = [line.strip() for line in reason.splitlines()]
    return next((line.removeprefix("Reason: ") for line in lines if line.startswith("Reason: ")), lines[0])


def _version(root: Root, system: str | None) -> str | None:
    return root.read(f"{system}/nixos-version") if system else None


def _word(text: str | None) -> str | None:
    return plain(text)[: limits.WORD_MAX] if text else None


def _path(text: str | None) -> str | None:
    return text[: limits.PATH_MAX] if text else None
