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

from nixfleet_agent import address, kinds
from nixfleet_agent.nix.root import Root
from nixfleet_agent.system import ask, own_name
from nixfleet_protocol import limits

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_INPUT = re.compile(r"[A-Za-z_][\w'-]{0,63}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}")
_URL = re.compile(r"(https?|wss?)://(\[[0-9A-Fa-f:.]+\]|[^\s/:@?#\[\]]+)(?::(\d{1,5}))?(/[^\s?#]*)?")
_SIZE = re.compile(r"(\d{1,15}) ?(?:([kmg])(?:ib|b)?|b)?", re.IGNORECASE)
_PROBE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}")
_UNITS_LIST = re.compile(r"unit:[A-Za-z0-9@_.:\\-]+(,[A-Za-z0-9@_.:\\-]+)*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
PROBES_MAX = 8
FETCH_MIN = 10.0
"""Seconds between two fetches of the helper at least: each asks the repository's server."""
_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}


class ConfigError(ValueError):
    """A variable is missing or wrong. `str()` names the variable, what was found and what is allowed."""


class Server(NamedTuple):
    """Where the server is. `path` begins with `/` and is that of the agents' WebSocket."""

    host: str
    port: int
    tls: bool
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.tls else 'ws'}://{host}:{self.port}{self.path}"


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
                mode = os.fstat(file.fileno()).st_mode & 0o777
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not plain text"
            raise ConfigError(f"NIXFLEET_TOKEN_FILE={self.token_file}: {reason}") from None
        if warn and mode & 0o077:
            warn(f"other users may read the token file {self.token_file}: chmod 600 {self.token_file}")
        return _check_token("NIXFLEET_TOKEN_FILE", token)


def load(env: Mapping[str, str] = os.environ, *, connects: bool = True) -> Config:
    """Read the environment. `connects=False` is for processes that never talk to the server.

    Raises ConfigError for the first variable that is missing or wrong.
    """
    values: dict[str, Any] = {}
    for field, variable in VARIABLES.items():
        text = env.get(variable.name, "").strip()
        values[field] = variable.read(text, variable.name) if text else variable.default(env)
    plain = values.pop("allow_plain_http")
    values["resident_dir"] = values["resident_dir"] or values["state_dir"]
    if connects:
        _check_connection(values, allow_plain=plain)
    _check_repository(values["repo_url"], allow_plain=plain)
    if values["repo_url"] and values["repo_dir"]:
        raise ConfigError("NIXFLEET_REPO_URL and NIXFLEET_REPO_DIR are both set: give one of them")
    return Config(**values)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    return host == "localhost" or host == "::1" or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _check_connection(values: dict[str, Any], *, allow_plain: bool) -> None:
    url: Server | None = values["url"]
    if url is None:
        raise ConfigError("NIXFLEET_URL is not set: give the server's address, as https://fleet.example.org")
    if values["token"] is None and values["token_file"] is None:
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


def _bad(name: str, found: str, allowed: str) -> ConfigError:
    return ConfigError(f"{name}={address.shown(found)!r}: expected {allowed}")


def _check_token(name: str, token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{name}: expected a token: one line of printable ASCII without spaces")
    return token


def _token(text: str, name: str) -> str:
    return _check_token(name, text)


def _url(text: str, name: str) -> Server:
    match = _URL.fullmatch(text)
    port = int(match[3]) if match and match[3] else None
    if not match or (port is not None and not 1 <= port <= 65535):
        raise _bad(name, text, "an address as https://fleet.example.org or http://127.0.0.1:8000")
    tls = match[1] in ("https", "wss")
    path = (match[4] or "").rstrip("/") + "/ws/agent"
    return Server(match[2].strip("[]"), port or (443 if tls else 80), tls, path)


def _hostname(text: str, name: str) -> str:
    short = text.partition(".")[0]
    if not _HOST.fullmatch(short):
        raise _bad(name, text, "1 to 63 letters, digits, - or _, beginning and ending with a letter or digit")
    return short


def _own_hostname(env: Mapping[str, str]) -> str:
    name = own_name(sys.platform, socket.gethostname(), ask)
    return _hostname(name, "NIXFLEET_HOSTNAME is not set and the host's name")


def _root(env: Mapping[str, str]) -> Root:
    return Root(env.get("NIXFLEET_ROOT", "").strip() or "/")


def _interval(text: str, name: str) -> float:
    allowed = f"seconds from {limits.INTERVAL_MIN:g} to {limits.INTERVAL_MAX:g}"
    try:
        value = float(text)
    except ValueError:
        raise _bad(name, text, allowed) from None
    if not limits.INTERVAL_MIN <= value <= limits.INTERVAL_MAX:
        raise _bad(name, text, allowed)
    return value


def _confirm(text: str, name: str) -> float:
    allowed = "0, or seconds from 5 to 3600"
    try:
        value = float(text)
    except ValueError:
        raise _bad(name, text, allowed) from None
    if value != 0 and not 5 <= value <= 3600:
        raise _bad(name, text, allowed)
    return value


def _probes(text: str, name: str) -> tuple[str, ...]:
    places = tuple(place for place in re.split(r"[,\s]+", text) if place)
    for place in places:
        if not _PROBE.fullmatch(place) and not (_URL.fullmatch(place) and place.startswith("http")):
            raise _bad(name, place, "HOST:PORT or http(s)://HOST…, several separated by commas")
    if len(places) > PROBES_MAX:
        raise _bad(name, text, f"at most {PROBES_MAX} places")
    return places


def _health(text: str, name: str) -> str:
    if text.startswith("unit:") and not _UNITS_LIST.fullmatch(text):
        raise _bad(name, text, "unit:NAME.service, several separated by commas")
    if not text.isprintable():
        raise _bad(name, text, "one line: a URL, unit:NAME,… or a command")
    return text


def _user(text: str, name: str) -> str:
    if not _USER.fullmatch(text):
        raise _bad(name, text, "a user's name")
    return text


def _size(text: str, name: str) -> int:
    match = _SIZE.fullmatch(text)
    value = int(match[1]) * _UNITS.get((match[2] or "").lower(), 1) if match else 0
    if not 2**16 <= value <= limits.LOG_MAX_LIMIT:
        most = f"{limits.LOG_MAX_LIMIT // limits.MIB}MiB"
        raise _bad(name, text, f"a size from 64KiB to {most}, as 268435456 or 256MiB")
    return value


def _repo_url(text: str, name: str) -> str:
    if address.has_password(text):
        raise ConfigError(f"{name}={address.shown(text)!r}: {address.USE_A_KEY}")
    if not address.is_repository(text):
        raise _bad(name, text, "https://, ssh://, git://, file://, user@host:path or an absolute path")
    return text


def _branch(text: str, name: str) -> str:
    if not _REF.fullmatch(text) or ".." in text:
        raise _bad(name, text, "a branch name of letters, digits and _./+-, not beginning with -")
    return text


def _absolute(text: str, name: str) -> str:
    path = os.path.expanduser(text)
    if not os.path.isabs(path) or not path.isprintable():
        raise _bad(name, text, "an absolute path")
    return os.path.normpath(path)


def _input(text: str, name: str) -> str:
    if not _INPUT.fullmatch(text):
        raise _bad(name, text, "the name of a flake's input")
    return text


def _signers(text: str, name: str) -> str:
    if text.startswith(("/", "~")):
        return _absolute(text, name)
    keys = [key.replace(" ", "").upper() for key in text.split(",")]
    if not all(_FINGERPRINT.fullmatch(key) for key in keys):
        raise _bad(
            name,
            text,
            "the path of an allowed_signers file, or GPG fingerprints (40 hex digits), comma-separated",
        )
    return ",".join(keys)


def _flag(text: str, name: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false", "yes", "no", "on", "off"):
        raise _bad(name, text, "1 or 0")
    return text.lower() in ("1", "true", "yes", "on")


def _word(*words: str) -> Callable[[str, str], str]:
    def read(text: str, name: str) -> str:
        if text.lower() not in words:
            raise _bad(name, text, "one of " + ", ".join(words))
        return text.lower()

    return read


def _fetch_interval(text: str, name: str) -> float:
    allowed = f"0 (never) or seconds from {FETCH_MIN:g} to {limits.TIMEOUT_MAX:g}"
    try:
        value = float(text)
    except ValueError:
        raise _bad(name, text, allowed) from None
    if value != 0 and not FETCH_MIN <= value <= limits.TIMEOUT_MAX:
        raise _bad(name, text, allowed)
    return value


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
    "url": Variable("NIXFLEET_URL", _url, _fixed(None), "the server's address; required"),
    "token": Variable("NIXFLEET_TOKEN", _token, _fixed(None), "this host's token; better in a file"),
    "token_file": Variable(
        "NIXFLEET_TOKEN_FILE", _absolute, _fixed(None), "file with the token, re-read at each connect"
    ),
    "ca_file": Variable("NIXFLEET_CA_FILE", _absolute, _fixed(None), "certificates to trust (PEM)"),
    "hostname": Variable("NIXFLEET_HOSTNAME", _hostname, _own_hostname, "default: the host's short name"),
    "interval": Variable(
        "NIXFLEET_INTERVAL", _interval, _fixed(limits.INTERVAL_DEFAULT), "seconds between heartbeats"
    ),
    "platform": Variable(
        "NIXFLEET_PLATFORM",
        _word(*kinds.COMMANDS),
        _own_kind,
        "nixos, nix-darwin, home-manager or script; detected by default",
    ),
    "repo_url": Variable("NIXFLEET_REPO_URL", _repo_url, _fixed(None), "repository for an isolated clone"),
    "branch": Variable("NIXFLEET_BRANCH", _branch, _fixed("main"), "branch to follow; default main"),
    "repo_dir": Variable("NIXFLEET_REPO_DIR", _absolute, _fixed(None), "existing checkout instead"),
    "fetch_interval": Variable(
        "NIXFLEET_FETCH_INTERVAL",
        _fetch_interval,
        _fixed(0.0),
        "seconds between looks for new commits; 0: never",
    ),
    "ssh_key": Variable("NIXFLEET_SSH_KEY", _absolute, _fixed(None), "private key for git over ssh"),
    "ssh_known_hosts": Variable(
        "NIXFLEET_SSH_KNOWN_HOSTS", _absolute, _fixed(None), "take only the host keys in this file"
    ),
    "update_input": Variable(
        "NIXFLEET_UPDATE_INPUT",
        _input,
        _fixed("nixfleet"),
        "flake input that `update` renews; default nixfleet",
    ),
    "allowed_signers": Variable(
        "NIXFLEET_ALLOWED_SIGNERS",
        _signers,
        _fixed(None),
        "allowed_signers file or GPG fingerprints: others' commits are refused",
    ),
    "state_dir": Variable("NIXFLEET_STATE_DIR", _absolute, _state_dir, "journals, clone, locks"),
    "resident_dir": Variable(
        "NIXFLEET_RESIDENT_DIR", _absolute, _fixed(None), "the resident's own state, where root runs commands"
    ),
    "runner_socket": Variable(
        "NIXFLEET_RUNNER_SOCKET",
        _absolute,
        _fixed(None),
        "socket of the root runner; default: runs commands itself",
    ),
    "resident_user": Variable(
        "NIXFLEET_RESIDENT_USER", _user, _fixed(None), "user whose requests the root runner takes"
    ),
    "confirm_timeout": Variable(
        "NIXFLEET_CONFIRM_TIMEOUT",
        _confirm,
        _fixed(90.0),
        "seconds a switch has to be confirmed; 0: no rollback",
    ),
    "probes": Variable(
        "NIXFLEET_PROBES", _probes, _fixed(()), "other places to look for: HOST:PORT or URL, comma-separated"
    ),
    "health_check": Variable(
        "NIXFLEET_HEALTH_CHECK", _health, _fixed(None), "URL, unit:NAME,… or a command: asked after a switch"
    ),
    "metrics": Variable(
        "NIXFLEET_METRICS", _word("auto", "stasysmo", "off"), _fixed("auto"), "auto, stasysmo or off"
    ),
    "log_max": Variable(
        "NIXFLEET_LOG_MAX", _size, _fixed(limits.LOG_MAX_DEFAULT), "output kept for a run; default 256MiB"
    ),
    "allow_plain_http": Variable(
        "NIXFLEET_ALLOW_PLAIN_HTTP", _flag, _fixed(False), "1 allows http:// off loopback"
    ),
    "root": Variable(
        "NIXFLEET_ROOT",
        _absolute,
        _fixed("/"),
        "directory that stands for / of the host: for trials and tests",
    ),
    "log_level": Variable(
        "NIXFLEET_LOG_LEVEL", _word("debug", "info", "warning", "error"), _fixed("info"), "debug to error"
    ),
    "log_format": Variable(
        "NIXFLEET_LOG_FORMAT", _word("auto", "console", "json"), _fixed("auto"), "auto, console or json"
    ),
}
