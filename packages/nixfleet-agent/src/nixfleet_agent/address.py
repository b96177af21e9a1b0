"""Addresses of repositories: which are taken, which cross the network unprotected, and how to show one to people.

Only transports that can't run a program of the address's choosing are taken, and none that begins as an option does.
"""

import re

_SCHEME = re.compile(
    r"(?P<scheme>https?|ssh|git)://(?:(?P<user>[^\s/@?#\\]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\W_][\w.-]*)(?::\d{1,5})?(?:/[^\s\x00-\x1f]*)?"
)
_FILE = re.compile(r"file://[^\s\x00-\x1f]+")
_SCP = re.compile(r"[A-Za-z0-9_][\w.-]*@[A-Za-z0-9][\w.-]*:(?!:)[^\s\x00-\x1f]+")
_PASSWORD = re.compile(r"(\w+://)?[^/:]*:(?!:).*@", re.DOTALL)
_IN_TEXT = re.compile(r"(?<=://)(?:[^/\s?#]*[:@]\S*@|[^/\s?#]*@)")
_UNPROTECTED = ("http", "git")

USE_A_KEY = (
    "a password in the address would be visible in the list of processes; "
    "use an SSH key (NIXFLEET_SSH_KEY) or git's credential store"
)


def is_repository(text: str) -> bool:
    """Whether it is an address that may be given to git."""
    if text.startswith("/"):
        return text.isprintable()
    return any(form.fullmatch(text) for form in (_SCHEME, _FILE, _SCP))


def has_password(text: str) -> bool:
    """Whether it holds a user's password, also one with characters that an address can't hold, such as `/`."""
    if text.startswith(("/", "file:")) or _SCP.fullmatch(text):
        return False
    found = _SCHEME.fullmatch(text)
    if found:
        return ":" in (found["user"] or "")
    return _PASSWORD.match(text) is not None


def unprotected_host(text: str) -> str | None:
    """The host that is reached without encryption, None for any other address."""
    found = _SCHEME.fullmatch(text)
    return found["host"].strip("[]") if found and found["scheme"] in _UNPROTECTED else None


def redact(text: str) -> str:
    """A line of log without what stands before the hosts of its addresses. It rather takes away too much: with a
    `:` or `@` before the path, everything up to the address's last `@`, because a password may hold a `/`."""
    return _IN_TEXT.sub("", text)


def shown(value: str) -> str:
    """A value that was refused, fit for an error: `***` for all before its last `@`, whatever it is meant to be."""
    before, at, after = value.rpartition("@")
    scheme, slashes, _ = before.partition("://")
    kept = f"{scheme}://" if slashes and scheme.isalnum() else ""
    return f"{kept}***@{after}" if at else value
