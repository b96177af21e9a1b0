"""Where an enrolled agent's files are, and the record of what was made, so that it can be undone."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from nixfleet_agent.environment import FILE
from nixfleet_agent.files import Disk, read_json
from nixfleet_agent.units import Installation

USAGE = 2
"""Exit code of what was asked for wrongly."""


class Refused(Exception):
    """It can't be done. `str()` says why and what to do; `code` is the exit code."""

    def __init__(self, said: str, code: int = 1) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One installation's files. `installation.mode` says whether they are the system's or this user's."""

    installation: Installation
    config_dir: str

    @property
    def env_file(self) -> str:
        """The variables, readable by all: no secret is in it."""
        return os.path.join(self.config_dir, os.path.basename(FILE))

    @property
    def token_file(self) -> str:
        """The host's token, for the agent's user only."""
        return os.path.join(self.config_dir, "agent.token")

    @property
    def record_file(self) -> str:
        """What was made."""
        return os.path.join(self.config_dir, "enrolled.json")

    @property
    def state_dirs(self) -> tuple[str, ...]:
        """What the agent itself makes while it runs."""
        if self.installation.mode == "system":
            return (self.installation.state_dir, self.installation.resident_dir)
        return (state_home(os.environ),)


def place(mode: str, supervisor: str, program: str) -> Place:
    """Where things go. Raises ValueError for a program whose path can't stand in a unit."""
    home = os.path.expanduser("~")
    config_dir = os.path.dirname(FILE)
    if mode == "user":
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        config_dir = os.path.join(base, "nixfleet")
    made = Installation(program=program, mode=mode, supervisor=supervisor, home=home)
    if supervisor == "systemd":
        made = replace(made, environment_file=os.path.join(config_dir, os.path.basename(FILE)))
    return Place(installation=made, config_dir=config_dir)


def state_home(env: Mapping[str, str]) -> str:
    """A user's agent's state directory, if it isn't told another."""
    base = env.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "nixfleet-agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What an enrolment made. It is written before anything else is, so that an interrupted one can be undone too."""

    url: str
    mode: str
    supervisor: str
    host_id: str = ""
    """Empty until the server has taken the token."""
    files: list[str] = field(default_factory=list)
    made_user: bool = False
    complete: bool = False
    """Configuration and units are written too, and the agent was started if that was asked for."""

    @classmethod
    def read(cls, path: str) -> Self | None:
        """The record there, None when there is none. Raises Refused when it is none of ours."""
        found = read_json(path)
        if found is None:
            if os.path.exists(path):
                raise Refused(
                    f"{path} can't be read or is damaged: as root remove it by hand, or run as its owner"
                )
            return None
        try:
            return cls(**found)
        except TypeError:
            raise Refused(f"{path} was written by another version of nixfleet-agent: use that one") from None

    def write(self, path: str) -> None:
        """Raises OSError."""
        write(path, json.dumps(asdict(self), indent=2) + "\n", 0o644)


def write(path: str, text: str, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put a file in place whole and durable, with the right mode from its first byte on. Raises OSError."""
    beside = f"{path}.tmp"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if owner:
            os.fchown(fd, *owner)
        os.fchmod(fd, mode)
        Disk().write(fd, text.encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(beside, path)
    Disk().sync(os.path.dirname(path))
