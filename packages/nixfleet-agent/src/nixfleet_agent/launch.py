"""Starting runners. A launcher hands a request over and gives back a socket on which one line of answer comes.

    request   {"verb": "run", "run_id": …, "command": …, "options": {…}}\\n
    answer    {"claimed": true, "pid": …}\\n   or   {"refused": "busy"|"exists"|"invalid"|"error", …}\\n

`Spawn` starts a process of its own; `Ask` connects to a socket whose other end is a root runner that the supervisor
starts for it. The protocol is the same, so the resident's core can't tell them apart.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Protocol

from nixfleet_agent.config import Config
from nixfleet_agent.events import Request
from nixfleet_protocol.encode import to_dict

REQUEST_MAX = 16 * 1024
"""Bytes of a request or an answer."""
FORGET_MAX = 100
"""Runs in one `forget`."""
RUNNER_LOG_MAX = 2**20
"""Bytes after which the runners' own error log starts anew."""
REQUEST_FD = 3
_NOT_FOR_RUNNERS = ("NIXFLEET_TOKEN", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
"""Beginnings of variables that runners don't get: secrets they don't need, and what would lead git elsewhere."""


class Launcher(Protocol):
    """What the loop needs to know about starting and ending runners."""

    def launch(self, request: Request) -> socket.socket:
        """Hand the request over. The answer arrives on the socket; end of file without one: no runner. Raises OSError."""

    def helper(self, *words: str) -> None:
        """Have a short work of the agent's own done (`facts`, `settle …`, `forget …`). Raises OSError."""

    def signal(self, run_id: str, pid: int, force: bool) -> None:
        """Ask a run's runner to end, or (`force`) end it. One that is gone is no error."""

    def reap(self) -> bool:
        """Whether something that was started has ended since the last call."""


class Spawn:
    """Runners as processes in sessions of their own, owned by the agent's user."""

    def __init__(self, config: Config, env: dict[str, str]) -> None:
        self._log = os.path.join(config.state_dir, "runner.log")
        self._env = {name: value for name, value in env.items() if not name.startswith(_NOT_FOR_RUNNERS)}
        self._children: set[int] = set()

    def launch(self, request: Request) -> socket.socket:
        ours, theirs = socket.socketpair()
        try:
            ours.sendall(_line(_run_request(request)))
            self._start(["run-command"], theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        return ours

    def helper(self, *words: str) -> None:
        self._start(list(words), None)

    def signal(self, run_id: str, pid: int, force: bool) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL if force else signal.SIGTERM)

    def reap(self) -> bool:
        before = len(self._children)
        for pid in list(self._children):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    continue
            self._children.discard(pid)
        return len(self._children) < before

    def _start(self, words: list[str], request_fd: int | None) -> None:
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


class Ask:
    """Runners that root starts: one per connection to a socket, each for one request (`runner.serve`).

    This process can ask for the fixed verbs and nothing else, and has no right to signal what runs.
    """

    def __init__(self, config: Config) -> None:
        assert config.runner_socket
        self._path = config.runner_socket
        self._open: set[socket.socket] = set()

    def launch(self, request: Request) -> socket.socket:
        return self._ask(_run_request(request))

    def helper(self, *words: str) -> None:
        verb, *rest = words
        self._open.add(self._ask({"verb": verb} | _HELPERS[verb](rest)))

    def signal(self, run_id: str, pid: int, force: bool) -> None:
        with contextlib.suppress(OSError):  # asked again a second later
            self._open.add(self._ask({"verb": "stop", "run_id": run_id, "force": force}))

    def reap(self) -> bool:
        done = [connection for connection in self._open if _is_over(connection)]
        for connection in done:
            connection.close()
        self._open.difference_update(done)
        return bool(done)

    def _ask(self, body: dict[str, Any]) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)  # a full backlog is an error to report, nothing to wait for
            connection.connect(self._path)
            connection.send(_line(body))
        except BaseException:
            connection.close()
            raise
        return connection


_HELPERS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "facts": lambda rest: {},
    "settle": lambda rest: {"run_id": rest[0], "have": int(rest[1])},
    "forget": lambda rest: {"run_ids": rest},
}
"""The words of a helper's command line as fields of a request."""


def launcher(config: Config, env: dict[str, str]) -> Launcher:
    """How this host's runners are started."""
    return Ask(config) if config.runner_socket else Spawn(config, env)


def _run_request(request: Request) -> dict[str, Any]:
    return {
        "verb": "run",
        "run_id": request.run_id,
        "command": request.command,
        "options": to_dict(request.options),
    }


def _line(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode() + b"\n"


def _is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(REQUEST_MAX) is not None  # whatever it says: the answer to a helper is its end
    except BlockingIOError:
        return False
    except OSError:
        return True


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
