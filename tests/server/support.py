"""A real server in a thread or a process, and peers that speak the real protocol over real sockets."""

import asyncio
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import bcrypt
import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode, encode_batches
from nixfleet_protocol.messages import (
    SERVER_TO_AGENT,
    SERVER_TO_BROWSER,
    CommandMessage,
    Facts,
    Heartbeat,
    KnownRun,
    Output,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.messages.browser import Subscribe
from nixfleet_server.context import Context
from nixfleet_server.leaving import leave
from nixfleet_server.listen import listen
from nixfleet_server.live.hub import Hub, wall_clock
from nixfleet_server.logs.files import Files
from nixfleet_server.serve import make_server, running
from nixfleet_server.settings import load
from nixfleet_server.store import access, hosts
from nixfleet_server.store.database import open_database
from nixfleet_server.store.schema import migrate

T = TypeVar("T")
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused on loopback, and reading the trust store is slow
PASSWORD = "correct horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
COMMANDS = ("pull", "switch", "pull-switch", "test", "stop", "restart")
PATIENCE = 20.0
"""Seconds after which a wait has failed: a wide bound, never a measurement."""


def until(question: Callable[[], T], what: str) -> T:
    """Ask until the answer is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"not within {PATIENCE:g} s: {what}")


class Peer:
    """What tests ask of a server, wherever it runs."""

    url: str
    data: Path

    def host(self, name: str = "web1", criticality: str = "medium") -> str:
        """Add a host as a second process would; gives its token."""
        return self._admin(lambda session: hosts.add(session, name, criticality, wall_clock()))

    def hosts(self, count: int) -> dict[str, str]:
        """Add so many hosts; gives their tokens by name."""
        names = [f"host{i:03}" for i in range(count)]
        return self._admin(lambda s: {name: hosts.add(s, name, "medium", wall_clock()) for name in names})

    def token(self, name: str = "script", scope: str = "operate") -> str:
        """Add an API token."""
        return self._admin(lambda session: access.add_token(session, name, scope, wall_clock()))

    def admin(self, work: Callable[[Any], T]) -> T:
        """Change the database as a second process would."""
        return self._admin(work)

    def _admin(self, work: Callable[[Any], T]) -> T:
        database = open_database(f"sqlite:///{self.data}/nixfleet.db")
        try:
            migrate(database)
            return database.write_now(work)
        finally:
            database.close()

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client, with an API token if given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, verify=_NO_TLS)

    @property
    def ws(self) -> str:
        """The URL for sockets."""
        return self.url.replace("http", "ws", 1)


class ServerThread(Peer):
    """The server of this process, on its own event loop. `options` are fields of Context or `files`."""

    def __init__(self, data: Path, *, files: Files | None = None, **options: Any) -> None:
        self.data = data
        self.context: Context | None = None
        self._files = files
        self._env = {
            "NIXFLEET_DATA_DIR": str(data),
            "NIXFLEET_LISTEN": "127.0.0.1:0",
            "NIXFLEET_PASSWORD_HASH": HASH,
        }
        self._env |= options.pop("env", {})
        self._options = options
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        data.mkdir(exist_ok=True)
        (data / "logs").mkdir(exist_ok=True)

    def start(self) -> "ServerThread":
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def stop(self) -> None:
        """As SIGTERM does."""
        assert self._loop is not None
        if self._thread.is_alive():
            self.call(lambda: self._leaving.set())
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive()

    @property
    def hub(self) -> Hub:
        """The server's hub; change it with `call` only."""
        assert self.context is not None
        return self.context.hub

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the server's event loop."""
        assert self._loop is not None

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._leaving = asyncio.Event()
        settings = load(self._env)
        database = open_database(settings.database)
        migrate(database)
        listener = listen(settings)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with running(settings, database, self._files) as shared:
            for name, value in self._options.items():
                assert hasattr(shared, name)
                setattr(shared, name, value)
            self.context = shared
            server = make_server(shared, self._ready.set)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            await self._leaving.wait()
            await leave(shared.hub, server)
            await serving
        listener.close()


class ServerProcess(Peer):
    """`nixfleet-server serve` as a process, to be killed."""

    def __init__(
        self, data: Path, port: int = 0, env: dict[str, str] | None = None, options: Sequence[str] = ()
    ) -> None:
        self.data = data
        self.port = port
        self.env = env or {}
        self.options = options
        self.process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Start the process, without waiting until it serves."""
        env = os.environ | {"NIXFLEET_PASSWORD_HASH": HASH, "NIXFLEET_DATA_DIR": str(self.data)}
        env |= self.env
        argv = [sys.executable, "-m", "nixfleet_server", "serve", "--listen", f"127.0.0.1:{self.port}"]
        argv += self.options
        with (self.data.parent / "server.err").open("a") as errors:
            self.process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=errors, text=True)

    def start(self) -> "ServerProcess":
        """Start it and wait until it serves."""
        self.begin()
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://" in line, (self.data.parent / "server.err").read_text()
        self.url = line.split()[3]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def end(self, number: int = signal.SIGKILL) -> int:
        """Signal it and wait; gives its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class FakeAgent:
    """An agent's end of one connection, honest unless a test makes it otherwise."""

    def __init__(self, server: Peer, token: str, name: str = "web1") -> None:
        self.name = name
        self._stack = ExitStack()
        opening = connect(
            f"{server.ws}/ws/agent",
            additional_headers={"Authorization": f"Bearer {token}"},
            compression=None,
            open_timeout=PATIENCE,
            close_timeout=1,
        )
        self.socket: ClientConnection = self._stack.enter_context(opening)
        self._inbox: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, *messages: Any) -> None:
        for frame in encode_batches(list(messages)):
            self.socket.send(frame)

    def register(self, *runs: KnownRun, **fields: Any) -> Registered:
        given = {
            "hostname": self.name,
            "protocol": "1.0",
            "agent_version": "0.1.0",
            "platform": "script",
            "interval": 30.0,
        }
        given |= {"commands": COMMANDS, "facts": Facts(os="Linux"), "runs": runs}
        self.send(Register(**(given | fields)))
        return self.expect(Registered)

    def heartbeat(self, **fields: Any) -> None:
        self.send(Heartbeat(at=wall_clock(), **fields))

    def expect(self, kind: type[T], matches: Callable[[T], bool] = lambda _: True) -> T:
        """The next message of this class that matches; others before it are dropped."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for message in self._more():
                if isinstance(message, kind) and matches(message):
                    return message
        raise AssertionError(f"no {kind.__name__}")

    def _more(self) -> Iterator[Any]:
        if not self._inbox:
            try:
                self._inbox = decode(str(self.socket.recv(timeout=PATIENCE)), SERVER_TO_AGENT)
            except TimeoutError:
                raise AssertionError("the server says nothing") from None
        while self._inbox:
            yield self._inbox.pop(0)

    def quiet(self, seconds: float = 0.3) -> list[Any]:
        """What comes within a while, where nothing should."""
        found, self._inbox = self._inbox, []
        try:
            while True:
                found += decode(str(self.socket.recv(timeout=seconds)), SERVER_TO_AGENT)
        except TimeoutError:
            return found

    def closed(self, reset: int | None = None) -> tuple[int, str]:
        """Read until the server closes; gives code and reason. `reset`: the code to take a broken connection for."""
        try:
            return closed(self.socket)
        except AssertionError:
            if reset is None:
                raise
            return reset, ""

    def take(self, command: str | None = None) -> CommandMessage:
        """The next command."""
        return self.expect(CommandMessage, lambda message: command in (None, message.command))

    def begin(self, run: CommandMessage) -> None:
        self.send(Status(run_id=run.run_id, command=run.command, status="running", at=wall_clock(), pid=4711))

    def output(self, run: CommandMessage, first: int, last: int, line: str = "line {}") -> None:
        self.send(*(output(run, seq, line.format(seq)) for seq in range(first, last + 1)))

    def end(self, run: CommandMessage, last_seq: int, status: str = "ok", **fields: Any) -> None:
        given = {"exit_code": 0 if status == "ok" else 1} | fields
        self.send(
            Status(
                run_id=run.run_id,
                command=run.command,
                status=status,
                at=wall_clock(),
                last_seq=last_seq,
                **given,
            )
        )


def output(run: CommandMessage, seq: int, line: str = "hello", **fields: Any) -> Output:
    given = {"stream": "stdout", "at": 1_700_000_000_000 + seq} | fields
    return Output(run_id=run.run_id, command=run.command, seq=seq, line=line, **given)


class FakeBrowser:
    """A watcher."""

    def __init__(self, server: Peer, *, token: str | None = None, **headers: str) -> None:
        given = {"Authorization": f"Bearer {token}"} if token else headers
        self._stack = ExitStack()
        opening = connect(
            f"{server.ws}/ws/browser",
            additional_headers=given,
            compression=None,
            max_size=None,
            close_timeout=1,
        )
        self.socket: ClientConnection = self._stack.enter_context(opening)
        self._inbox: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def subscribe(self, run_id: str, from_seq: int = 1) -> None:
        self.socket.send(encode(Subscribe(run_id=run_id, from_seq=from_seq)))

    def expect(self, kind: type[T], matches: Callable[[T], bool] = lambda _: True) -> T:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            while self._inbox:
                message = self._inbox.pop(0)
                if isinstance(message, kind) and matches(message):
                    return message
            self._inbox = decode(str(self.socket.recv(timeout=PATIENCE)), SERVER_TO_BROWSER)
        raise AssertionError(f"no {kind.__name__}")

    def closed(self) -> tuple[int, str]:
        return closed(self.socket)


def closed(socket: ClientConnection) -> tuple[int, str]:
    """Read until the peer closes; gives its code and reason."""
    try:
        while True:
            socket.recv(timeout=PATIENCE)
    except ConnectionClosed as error:
        if error.rcvd is None:
            raise AssertionError("the connection broke without a close frame") from error
        return error.rcvd.code, error.rcvd.reason


def login(client: httpx.Client, password: str = PASSWORD) -> str:
    """Log in; gives the CSRF token."""
    answer = client.post("/api/v1/session", json={"password": password})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["csrf"])


def start(
    client: httpx.Client, command: str = "switch", host: str = "web1", **options: Any
) -> dict[str, Any]:
    """Start a run; gives its view."""
    answer = client.post(f"/api/v1/hosts/{host}/runs", json={"command": command, "options": options})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error answer, checked to be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = json.loads(answer.content)
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


def new_run_id() -> str:
    return secrets.token_hex(16)


@contextmanager
def serving(data: Path, **options: Any) -> Iterator[ServerThread]:
    """A server for the length of a with block."""
    server = ServerThread(data, **options).start()
    try:
        yield server
    finally:
        server.stop()
