"""How the text of each `NIXFLEET_*` variable is read: a function a kind of value, and one clear error for all.

A reader takes the text and the variable's name, returns the value and raises ConfigError.
"""

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from nixfleet_agent import address
from nixfleet_protocol import limits

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_INPUT = re.compile(r"[A-Za-z_][\w'-]{0,63}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}")
_URL = re.compile(r"(https?|wss?)://(\[[0-9A-Fa-f:.]+\]|[^\s/:@?#\[\]]+)(?::(\d{1,5}))?(/[^\s?#]*)?")
_SIZE = re.compile(r"(\d{1,15}) ?(?:([kmg])(?:ib|b)?|b)?", re.IGNORECASE)
_PROBE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")
_HEALTH_URL = re.compile(
    r"https?://(?:[^/?#]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/:?#@\[\]]+)(?::(\d{1,5}))?(?:[/?#].*)?"
)
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


def bad(name: str, found: str, allowed: str) -> ConfigError:
    return ConfigError(f"{name}={address.shown(found)!r}: expected {allowed}")


def check_token(name: str, token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{name}: expected a token: one line of printable ASCII without spaces")
    return token


def token(text: str, name: str) -> str:
    return check_token(name, text)


def url(text: str, name: str) -> Server:
    match = _URL.fullmatch(text)
    port = int(match[3]) if match and match[3] else None
    if not match or (port is not None and not 1 <= port <= 65535):
        raise bad(name, text, "an address as https://fleet.example.org or http://127.0.0.1:8000")
    tls = match[1] in ("https", "wss")
    path = (match[4] or "").rstrip("/") + "/ws/agent"
    return Server(match[2].strip("[]"), port or (443 if tls else 80), tls, path)


def hostname(text: str, name: str) -> str:
    short = text.partition(".")[0]
    if not _HOST.fullmatch(short):
        raise bad(name, text, "1 to 63 letters, digits, - or _, beginning and ending with a letter or digit")
    return short


def interval(text: str, name: str) -> float:
    allowed = f"seconds from {limits.INTERVAL_MIN:g} to {limits.INTERVAL_MAX:g}"
    try:
        value = float(text)
    except ValueError:
        raise bad(name, text, allowed) from None
    if not limits.INTERVAL_MIN <= value <= limits.INTERVAL_MAX:
        raise bad(name, text, allowed)
    return value


def confirm(text: str, name: str) -> float:
    allowed = "0, or seconds from 5 to 3600"
    try:
        value = float(text)
    except ValueError:
        raise bad(name, text, allowed) from None
    if value != 0 and not 5 <= value <= 3600:
        raise bad(name, text, allowed)
    return value


def probes(text: str, name: str) -> tuple[str, ...]:
    places = tuple(place for place in re.split(r"[,\s]+", text) if place)
    for place in places:
        is_url = place.startswith("http") and "://" in place
        match = _URL.fullmatch(place) if is_url else _PROBE.fullmatch(place)
        if not match or not place.isascii() or not _is_port(match[3 if is_url else 2]):
            raise bad(name, place, "HOST:PORT or http(s)://HOST…, several separated by commas")
    if len(places) > PROBES_MAX:
        raise bad(name, text, f"at most {PROBES_MAX} places")
    return places


def health(text: str, name: str) -> str:
    if text.startswith("unit:") and not _UNITS_LIST.fullmatch(text):
        raise bad(name, text, "unit:NAME.service, several separated by commas")
    if not text.isprintable():
        raise bad(name, text, "one line: a URL, unit:NAME,… or a command")
    if text.startswith(("http://", "https://")):
        match = _HEALTH_URL.fullmatch(text)
        if not match or not text.isascii() or not _is_port(match[1]):
            raise bad(name, text, "an address as http://127.0.0.1:8080/health, in ASCII")
    return text


def _is_port(text: str | None) -> bool:
    """Whether it is one, or none is given."""
    return text is None or 1 <= int(text) <= 65535


def user(text: str, name: str) -> str:
    if not _USER.fullmatch(text):
        raise bad(name, text, "a user's name")
    return text


def size(text: str, name: str) -> int:
    match = _SIZE.fullmatch(text)
    value = int(match[1]) * _UNITS.get((match[2] or "").lower(), 1) if match else 0
    if not 2**16 <= value <= limits.LOG_MAX_LIMIT:
        most = f"{limits.LOG_MAX_LIMIT // limits.MIB}MiB"
        raise bad(name, text, f"a size from 64KiB to {most}, as 268435456 or 256MiB")
    return value


def repo_url(text: str, name: str) -> str:
    if address.has_password(text):
        raise ConfigError(f"{name}={address.shown(text)!r}: {address.USE_A_KEY}")
    if not address.is_repository(text):
        raise bad(name, text, "https://, ssh://, git://, file://, user@host:path or an absolute path")
    return text


def branch(text: str, name: str) -> str:
    if not _REF.fullmatch(text) or ".." in text:
        raise bad(name, text, "a branch name of letters, digits and _./+-, not beginning with -")
    return text


def absolute(text: str, name: str) -> str:
    path = os.path.expanduser(text)
    if not os.path.isabs(path) or not path.isprintable():
        raise bad(name, text, "an absolute path")
    return os.path.normpath(path)


def flake_input(text: str, name: str) -> str:
    if not _INPUT.fullmatch(text):
        raise bad(name, text, "the name of a flake's input")
    return text


def signers(text: str, name: str) -> str:
    if text.startswith(("/", "~")):
        return absolute(text, name)
    keys = [key.replace(" ", "").upper() for key in text.split(",")]
    if not all(_FINGERPRINT.fullmatch(key) for key in keys):
        raise bad(
            name,
            text,
            "the path of an allowed_signers file, or GPG fingerprints (40 hex digits), comma-separated",
        )
    return ",".join(keys)


def flag(text: str, name: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false", "yes", "no", "on", "off"):
        raise bad(name, text, "1 or 0")
    return text.lower() in ("1", "true", "yes", "on")


def word(*words: str) -> Callable[[str, str], str]:
    def read(text: str, name: str) -> str:
        if text.lower() not in words:
            raise bad(name, text, "one of " + ", ".join(words))
        return text.lower()

    return read


def fetch_interval(text: str, name: str) -> float:
    allowed = f"0 (never) or seconds from {FETCH_MIN:g} to {limits.TIMEOUT_MAX:g}"
    try:
        value = float(text)
    except ValueError:
        raise bad(name, text, allowed) from None
    if value != 0 and not FETCH_MIN <= value <= limits.TIMEOUT_MAX:
        raise bad(name, text, allowed)
    return value
