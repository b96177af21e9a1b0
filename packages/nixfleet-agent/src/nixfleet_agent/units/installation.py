"""Where an installed agent has its parts, and the environment that tells each of its processes."""

import os
from dataclasses import dataclass

USER = "nixfleet-agent"
"""The resident's user, and its group, which may read journals and ask the runner."""
SERVICE = "nixfleet-agent.service"
SOCKET = "nixfleet-agent-runner.socket"
RUNNER = "nixfleet-agent-runner@.service"
LABEL = "org.nixfleet.agent"
RUNNER_LABEL = "org.nixfleet.agent-runner"
_PATH = {
    "systemd": (
        "/run/wrappers/bin",
        "/run/current-system/sw/bin",
        "/nix/var/nix/profiles/default/bin",
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ),
    "launchd": (
        "/run/current-system/sw/bin",
        "/nix/var/nix/profiles/default/bin",
        "/usr/local/bin",
        "/usr/bin",
        "/usr/sbin",
        "/bin",
        "/sbin",
    ),
}
"""Where a runner looks for git, ssh and nix: the same on every host, whatever a login shell adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One installed agent.

    `system`: an unprivileged resident and root runners, one per command. `user`: all of it is one user's.
    """

    program: str
    """Absolute path of `nixfleet-agent`."""
    mode: str = "system"
    """`system` or `user`."""
    supervisor: str = "systemd"
    """`systemd` or `launchd`."""
    environment_file: str | None = None
    """The `NIXFLEET_*` variables of this host, one `NAME=value` a line; root's own with mode `system`."""
    environment: tuple[tuple[str, str], ...] = ()
    """Further variables for resident and runner: launchd knows no environment file."""
    user: str = USER
    home: str = "~"
    """The user's home directory; for mode `user` under launchd only."""

    def __post_init__(self) -> None:
        """Raises ValueError for what would make a unit that means something else."""
        if self.mode not in ("system", "user") or self.supervisor not in ("systemd", "launchd"):
            raise ValueError(f"no such installation: {self.mode}, {self.supervisor}")
        for value in (self.program, self.environment_file or "/"):
            if not os.path.isabs(value) or not value.isprintable() or set(value) & set("%$\"'\\ "):
                raise ValueError(f"{value!r}: expected an absolute path without spaces, quotes, % or $")

    @property
    def state_dir(self) -> str:
        """Root's own: clone, journals, locks. Its group, the resident's, may read journals."""
        return "/var/lib/nixfleet-agent"

    @property
    def resident_dir(self) -> str:
        """The resident's own small state. Nothing in it decides what root runs."""
        return "/var/lib/nixfleet-agent-resident"

    @property
    def socket(self) -> str:
        """Where the resident asks for a runner."""
        if self.supervisor == "launchd":  # which makes no directories
            return "/var/run/nixfleet-agent.sock"
        return "/run/nixfleet-agent/runner.sock"

    @property
    def variables(self) -> dict[str, str]:
        """Variables that follow from the way it is installed; the same for resident and runner."""
        found = {"PATH": ":".join(_PATH[self.supervisor])}
        if self.mode == "system":
            found |= {
                "NIXFLEET_STATE_DIR": self.state_dir,
                "NIXFLEET_RESIDENT_DIR": self.resident_dir,
                "NIXFLEET_RESIDENT_USER": self.user,
                "NIXFLEET_RUNNER_SOCKET": self.socket,
            }
        return found | dict(self.environment)
