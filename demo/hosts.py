"""The demo's configuration: its hosts, and what each command there is expected to end with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """A host of the demo. `nix`: a NixOS host in a directory, where `nix` is on the machine."""

    name: str
    criticality: str
    expected: tuple[tuple[str, str], ...]
    failing: tuple[str, ...] = ()
    """Names of the tests that fail on purpose."""
    nix: bool = False


HOSTS = (
    Host("web1", "high", (("pull-switch", "ok"), ("test", "ok"))),
    Host("db1", "medium", (("pull-switch", "ok"), ("test", "failed")), failing=("T02-backup-age.sh",)),
    Host("lab1", "low", (("pull-switch", "ok"), ("test", "ok")), nix=True),
)
