"""Starting runners. A launcher hands a request over and gives back a socket on which one line of answer comes.

    request   {"run_id": …, "command": …, "options": {…}}\\n
    answer    {"claimed": true, "pid": …}\\n   or   {"refused": "busy"|"exists"|"invalid"|"error", …}\\n

`Spawn` starts a process of its own; a later launcher connects to a socket whose other end is a privileged runner. The
protocol is the same, so the resident's core can't tell them apart.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
from typing import Any, Protocol

from nixfleet_agent.config import Config
from nixfleet_agent.events import Request
from nixfleet_protocol.encode import to_dict

REQUEST_MAX = 16 * 1024
"""Bytes of a request or an answer."""
RUNNER_LOG_MAX = 2**20
"""Bytes after which the runners' own error log starts anew."""
REQUEST_FD = 3
_NOT_FOR_RUNNERS = ("NIXFLEET_TOKEN", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
"""Beginnings of variables that runners don't get: secrets they don't need, and what would lead git elsewhere."""


class Launcher(Protocol):
    """What the loop needs to know about starting and ending runners."""

    def launch(self, request: Request) -> socket.socket:
        """Hand the request over. The answer arrives on the socket; end of file without one: no runner. Raises OSError."""

    def helper(self, *words: str) -> int:
        """Start a short-lived process of the agent's own (`facts`, `settle …`); its pid. Raises OSError."""

    def signal(self, pid: int, number: int) -> None:
        """Signal a runner. One that is gone is no error."""

    def reap(self) -> list[int]:
        """The pids of started processes that have ended since the last call."""


class Spawn:
    """Runners as processes in sessions of their own, owned by the agent's user."""

    def __init__(self, config: Config, env: dict[str, str]) -> None:
        self._log = os.path.join(config.state_dir, "runner.log")
        self._env = {name: value for name, value in env.items() if not name.startswith(_NOT_FOR_RUNNERS)}
        self._children: set[int] = set()

    def launch(self, request: Request) -> socket.socket:
        ours, theirs = socket.socketpair()
        body = {
            "run_id": request.run_id,
            "command": request.command,
            "options": to_dict(request.options),
        }
        try:
            ours.sendall(json.dumps(body).encode() + b"\n")
            self._start(["run-command"], theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        return ours

    def helper(self, *words: str) -> int:
        return self._start(list(words), None)

    def signal(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

    def reap(self) -> list[int]:
        ended = []
        for pid in list(self._children):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    continue
            self._children.discard(pid)
            ended.append(pid)
        return ended

    def _start(self, words: list[str], request_fd: int | None) -> int:
        argv = [*program(), *words]
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with contextlib.suppress(OSError):
            if os.path.getsize(self._log) > RUNNER_LOG_MAX:
                how |= os.O_TRUNC
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, self._log, how, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        high = None
        if request_fd is not None:
            high = fcntl.fcntl(request_fd, fcntl.F_DUPFD_CLOEXEC, 16)  # never the same number as the target
            actions.append((os.POSIX_SPAWN_DUP2, high, REQUEST_FD))
        how_to: dict[str, Any] = {
            "file_actions": actions,
            "setsigmask": (),
            "setsigdef": {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE},
        }
        try:
            try:
                pid = os.posix_spawn(argv[0], argv, self._env, setsid=True, **how_to)
            except NotImplementedError:  # an old macOS: the runner makes its session itself
                pid = os.posix_spawn(argv[0], argv, self._env, **how_to)
        finally:
            if high is not None:
                os.close(high)
        self._children.add(pid)
        return pid


def program() -> list[str]:
    """How to start this very program again: its script if it was started by one (Nix wraps those), else the module."""
    script = os.path.abspath(sys.argv[0])
    if os.path.basename(script).endswith("nixfleet-agent") and os.access(script, os.X_OK):
        return [script]
    # -P: the current directory must not decide which code runs.
    return [sys.executable, "-P", "-m", "nixfleet_agent"]


def parse_answer(raw: bytes) -> dict[str, Any] | None:
    """A runner's answer, or None when it gave none."""
    with contextlib.suppress(ValueError):
        answer = json.loads(raw)
        if isinstance(answer, dict):
            return answer
    return None
