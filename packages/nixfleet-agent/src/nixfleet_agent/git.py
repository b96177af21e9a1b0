"""git in one working tree: short questions, commands that must succeed, and what went wrong in words for people."""

import re
import subprocess
from collections.abc import Mapping
from typing import Protocol

from nixfleet_agent.address import redact
from nixfleet_agent.runner.ends import Failed, Ran
from nixfleet_agent.system import foreign

NETWORK_TIMEOUT = 900.0
"""Seconds for a clone or fetch: a big repository on a slow line, but not for ever (an auth prompt never ends)."""
_COMPLAINTS = (
    "no such identity: ",
    "are too open",
    "Permission denied (",
    "Host key verification failed",
    "Could not resolve host",
    "Connection refused",
    "timed out",
    "ERROR: ",
    "fatal: ",
    "error: ",
)
"""What a line that tells the reason holds, the most telling first."""
_OFFENDING = re.compile(rb"^Offending .* key in (\S.*?)\r?$", re.MULTILINE)
_QUERY_TIMEOUT = 60.0


class Runs(Protocol):
    """Runs a program with its output going somewhere; `Context.run` does."""

    def __call__(
        self, argv: list[str], cwd: str, *, env: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> Ran: ...


class Git:
    """git, run in `path` with `env` (gitenv.git_env) and nothing of the user's own configuration."""

    def __init__(self, path: str, env: Mapping[str, str]) -> None:
        self._path = path
        self._env = env

    def must(self, run: Runs, what: str, *words: str) -> None:
        """Raises Failed when it doesn't succeed."""
        ran = run(["git", *words], self._path, env=self._env, timeout=NETWORK_TIMEOUT)
        if ran.exit_code:
            raise Failed(why(what, ran), ran.exit_code)

    def ask(self, *words: str) -> str | None:
        """A short question: its answer, or None when it fails."""
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=self._path,
                env={**foreign(), **self._env, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_QUERY_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def why(what: str, ran: Ran) -> str:
    """What to tell of a git command that failed."""
    if ran.late:
        return f"{what} took longer than {NETWORK_TIMEOUT:g} s and was ended"
    if b"REMOTE HOST IDENTIFICATION HAS CHANGED" in ran.tail:
        found = _OFFENDING.search(ran.tail)
        where = f": remove the line {found[1].decode(errors='replace')}" if found else ""
        return f"{what} refused: the repository's server shows another SSH host key than before. If that is right{where}"
    reason = reason_of(ran.tail) or ran.last_line
    return f"{what} failed with exit code {ran.exit_code}" + (f": {redact(reason)}" if reason else "")


def reason_of(tail: bytes) -> str:
    """What git or ssh says went wrong. Their last words are advice ("and the repository exists."), not the reason."""
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines()]
    return next((line for words in _COMPLAINTS for line in lines if words in line), "")[:300]
