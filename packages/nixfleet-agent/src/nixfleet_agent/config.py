"""Configuration from `NIXFLEET_*` environment variables: one table (`variables`), one frozen result, one clear error.

Only the standard library, and little of it: the resident process imports this.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nixfleet_agent import address, values
from nixfleet_agent.nix.root import Root
from nixfleet_agent.values import ConfigError, Server
from nixfleet_agent.variables import VARIABLES

__all__ = ["Config", "ConfigError", "Server", "is_loopback", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an agent can be told. Times in seconds, sizes in bytes; `None` means not given."""

    url: Server | None
    token: str | None
    token_file: str | None
    ca_file: str | None
    hostname: str
    interval: float
    platform: str
    repo_url: str | None
    branch: str
    repo_dir: str | None
    ssh_key: str | None
    ssh_known_hosts: str | None
    allowed_signers: str | None
    """Path of an allowed_signers file, or GPG fingerprints in capitals with commas between."""
    update_input: str
    state_dir: str
    """Of whoever runs commands: clone, journals, locks. Root's with a runner socket, and the resident only reads it."""
    resident_dir: str
    """The resident's own: what it has delivered, its status, its doorbell. The state directory itself without a socket."""
    runner_socket: str | None
    resident_user: str | None
    confirm_timeout: float
    probes: tuple[str, ...]
    health_check: str | None
    metrics: str
    log_max: int
    log_level: str
    log_format: str
    root: str = "/"
    fetch_interval: float = 0.0

    @property
    def files(self) -> Root:
        """The host's own files: its links, profiles and versions."""
        return Root(self.root)

    @property
    def repository(self) -> str | None:
        """The working tree's path, or None when no repository is configured."""
        if self.repo_dir:
            return self.repo_dir
        return os.path.join(self.state_dir, "repo") if self.repo_url else None

    def read_token(self, warn: Callable[[str], None] | None = None) -> str:
        """The token now: its file is read each time, so that a rotated token needs no restart.

        `warn` is told when others can read the file. Raises ConfigError when there is none.
        """
        if self.token_file is None:
            return self.token or ""
        try:
            with open(self.token_file, encoding="ascii") as file:
                token = file.read(4096).strip()
                found = os.fstat(file.fileno())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not plain text"
            raise ConfigError(f"NIXFLEET_TOKEN_FILE={self.token_file}: {reason}") from None
        # Root's file for the resident's group is the installer's way; of its own file not even the group may read.
        others = 0o077 if found.st_uid == os.geteuid() else 0o007
        if warn and found.st_mode & others:
            warn(f"other users may read the token file {self.token_file}: chmod 600 {self.token_file}")
        return values.check_token("NIXFLEET_TOKEN_FILE", token)


def load(env: Mapping[str, str] = os.environ, *, connects: bool = True) -> Config:
    """Read the environment. `connects=False` is for processes that never talk to the server.

    Raises ConfigError for the first variable that is missing or wrong.
    """
    found: dict[str, Any] = {}
    for field, variable in VARIABLES.items():
        text = env.get(variable.name, "").strip()
        found[field] = variable.read(text, variable.name) if text else variable.default(env)
    plain = found.pop("allow_plain_http")
    found["resident_dir"] = found["resident_dir"] or found["state_dir"]
    if connects:
        _check_connection(found, allow_plain=plain)
    _check_repository(found["repo_url"], allow_plain=plain)
    if found["repo_url"] and found["repo_dir"]:
        raise ConfigError("NIXFLEET_REPO_URL and NIXFLEET_REPO_DIR are both set: give one of them")
    return Config(**found)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    return host == "localhost" or host == "::1" or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _check_connection(found: dict[str, Any], *, allow_plain: bool) -> None:
    url: Server | None = found["url"]
    if url is None:
        raise ConfigError("NIXFLEET_URL is not set: give the server's address, as https://fleet.example.org")
    if found["token"] is None and found["token_file"] is None:
        raise ConfigError(
            "NIXFLEET_TOKEN_FILE is not set: give the file that holds this host's token "
            "(made by `nixfleet-server host add NAME`), or NIXFLEET_TOKEN itself"
        )
    if not url.tls and not is_loopback(url.host) and not allow_plain:
        raise ConfigError(
            f"NIXFLEET_URL is plain http to {url.host}: the token would cross the network unprotected. "
            "Use https://, or set NIXFLEET_ALLOW_PLAIN_HTTP=1 if the network itself is protected"
        )


def _check_repository(url: str | None, *, allow_plain: bool) -> None:
    host = address.unprotected_host(url) if url else None
    if host is not None and not is_loopback(host) and not allow_plain:
        raise ConfigError(
            f"NIXFLEET_REPO_URL is unencrypted to {host}: whoever is on the network could change what this host runs. "
            "Use https:// or ssh://, or set NIXFLEET_ALLOW_PLAIN_HTTP=1 if the network itself is protected"
        )
