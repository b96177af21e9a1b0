"""Configuration from `NIXFLEET_*` environment variables: one table, one frozen result, one clear error.

Only the standard library, and little of it: the resident process imports this.
"""

import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nixfleet_agent import address, kinds, values
from nixfleet_agent.nix.root import Root
from nixfleet_agent.system import ask, own_name
from nixfleet_agent.values import ConfigError, Server
from nixfleet_protocol import limits

__all__ = ["VARIABLES", "Config", "ConfigError", "Server", "Variable", "is_loopback", "load"]


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


def _own_hostname(env: Mapping[str, str]) -> str:
    name = own_name(sys.platform, socket.gethostname(), ask)
    return values.hostname(name, "NIXFLEET_HOSTNAME is not set and the host's name")


def _root(env: Mapping[str, str]) -> Root:
    return Root(env.get("NIXFLEET_ROOT", "").strip() or "/")


def _confirm_time(env: Mapping[str, str]) -> float:
    """home-manager sets its profile in the activation, so a reboot inside the window would not bring the old one back."""
    kind = env.get("NIXFLEET_PLATFORM", "").strip().lower() or _own_kind(env)
    return 0.0 if kind == "home-manager" else 90.0


def _own_kind(env: Mapping[str, str]) -> str:
    return kinds.detect(env, _root(env))


def _state_dir(env: Mapping[str, str]) -> str:
    if os.geteuid() == 0:
        return "/var/lib/nixfleet-agent"
    base = env.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "nixfleet-agent")


def _fixed(value: Any) -> Callable[[Mapping[str, str]], Any]:
    return lambda env: value


class Variable(NamedTuple):
    """One variable: its name, how its text is read, and its default."""

    name: str
    read: Callable[[str, str], Any]
    default: Callable[[Mapping[str, str]], Any]
    help: str


VARIABLES: dict[str, Variable] = {
    "url": Variable("NIXFLEET_URL", values.url, _fixed(None), "the server's address; required"),
    "token": Variable("NIXFLEET_TOKEN", values.token, _fixed(None), "this host's token; better in a file"),
    "token_file": Variable(
        "NIXFLEET_TOKEN_FILE", values.absolute, _fixed(None), "file with the token, re-read at each connect"
    ),
    "ca_file": Variable("NIXFLEET_CA_FILE", values.absolute, _fixed(None), "certificates to trust (PEM)"),
    "hostname": Variable(
        "NIXFLEET_HOSTNAME", values.hostname, _own_hostname, "default: the host's short name"
    ),
    "interval": Variable(
        "NIXFLEET_INTERVAL", values.interval, _fixed(limits.INTERVAL_DEFAULT), "seconds between heartbeats"
    ),
    "platform": Variable(
        "NIXFLEET_PLATFORM",
        values.word(*kinds.COMMANDS),
        _own_kind,
        "nixos, nix-darwin, home-manager or script; detected by default",
    ),
    "repo_url": Variable(
        "NIXFLEET_REPO_URL", values.repo_url, _fixed(None), "repository for an isolated clone"
    ),
    "branch": Variable("NIXFLEET_BRANCH", values.branch, _fixed("main"), "branch to follow; default main"),
    "repo_dir": Variable("NIXFLEET_REPO_DIR", values.absolute, _fixed(None), "existing checkout instead"),
    "fetch_interval": Variable(
        "NIXFLEET_FETCH_INTERVAL",
        values.fetch_interval,
        _fixed(0.0),
        "seconds between looks for new commits; 0: never",
    ),
    "ssh_key": Variable("NIXFLEET_SSH_KEY", values.absolute, _fixed(None), "private key for git over ssh"),
    "ssh_known_hosts": Variable(
        "NIXFLEET_SSH_KNOWN_HOSTS", values.absolute, _fixed(None), "take only the host keys in this file"
    ),
    "update_input": Variable(
        "NIXFLEET_UPDATE_INPUT",
        values.flake_input,
        _fixed("nixfleet"),
        "flake input that `update` renews; default nixfleet",
    ),
    "allowed_signers": Variable(
        "NIXFLEET_ALLOWED_SIGNERS",
        values.signers,
        _fixed(None),
        "allowed_signers file or GPG fingerprints: others' commits are refused",
    ),
    "state_dir": Variable("NIXFLEET_STATE_DIR", values.absolute, _state_dir, "journals, clone, locks"),
    "resident_dir": Variable(
        "NIXFLEET_RESIDENT_DIR",
        values.absolute,
        _fixed(None),
        "the resident's own state, where root runs commands",
    ),
    "runner_socket": Variable(
        "NIXFLEET_RUNNER_SOCKET",
        values.absolute,
        _fixed(None),
        "socket of the root runner; default: runs commands itself",
    ),
    "resident_user": Variable(
        "NIXFLEET_RESIDENT_USER", values.user, _fixed(None), "user whose requests the root runner takes"
    ),
    "confirm_timeout": Variable(
        "NIXFLEET_CONFIRM_TIMEOUT",
        values.confirm,
        _confirm_time,
        "seconds a switch has to be confirmed; 0: no rollback, the default of home-manager",
    ),
    "probes": Variable(
        "NIXFLEET_PROBES",
        values.probes,
        _fixed(()),
        "other places to look for: HOST:PORT or URL, comma-separated",
    ),
    "health_check": Variable(
        "NIXFLEET_HEALTH_CHECK",
        values.health,
        _fixed(None),
        "URL, unit:NAME,… or a command: asked after a switch",
    ),
    "metrics": Variable(
        "NIXFLEET_METRICS", values.word("auto", "stasysmo", "off"), _fixed("auto"), "auto, stasysmo or off"
    ),
    "log_max": Variable(
        "NIXFLEET_LOG_MAX",
        values.size,
        _fixed(limits.LOG_MAX_DEFAULT),
        "output kept for a run; default 256MiB",
    ),
    "allow_plain_http": Variable(
        "NIXFLEET_ALLOW_PLAIN_HTTP", values.flag, _fixed(False), "1 allows http:// off loopback"
    ),
    "root": Variable(
        "NIXFLEET_ROOT",
        values.absolute,
        _fixed("/"),
        "directory that stands for / of the host: for trials and tests",
    ),
    "log_level": Variable(
        "NIXFLEET_LOG_LEVEL",
        values.word("debug", "info", "warning", "error"),
        _fixed("info"),
        "debug to error",
    ),
    "log_format": Variable(
        "NIXFLEET_LOG_FORMAT", values.word("auto", "console", "json"), _fixed("auto"), "auto, console or json"
    ),
}
