"""The agent's variables, one row each: name, how its text is read, default, and a line of help.

Only the standard library, and little of it: the resident process imports this.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nixfleet_agent import kinds, values
from nixfleet_agent.nix.root import Root
from nixfleet_agent.system import ask, own_name
from nixfleet_protocol import limits


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
