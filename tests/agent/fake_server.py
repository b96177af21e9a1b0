"""A server's end for agents: real WebSocket, the protocol's own ServerEnd, logs in memory. For the agent's tests only."""

import contextlib
import http
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from nixfleet_protocol import text
from nixfleet_protocol.messages import (
    Ack,
    CommandMessage,
    Facts,
    Heartbeat,
    HeldRun,
    Options,
    Output,
    Pong,
    Progress,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.record import Record
from nixfleet_protocol.session.server_end import ServerEnd

WAIT = 60.0


class FakeServer:
    """Accepts one agent at a time. `log[run]` holds record lines; `ends[run]` every final status as received."""

    def __init__(self, ssl: Any = None) -> None:
        self.token = "sesame"
        self.changed = threading.Condition()
        self.registers: list[Register] = []
        self.received: list[tuple[float, Any]] = []
        self.log: dict[str, list[Record]] = {}
        self.begun: dict[str, Status] = {}
        self.ends: dict[str, list[Status]] = {}
        self.acked_ends: set[str] = set()
        self.gaps: list[str] = []
        self.closes: list[tuple[int | None, str]] = []
        self.acknowledge = True
        self.answers = True
        self.refuse: int | None = None
        self._end: ServerEnd | None = None
        self._connection: ServerConnection | None = None
        self._lock = threading.RLock()
        self._ssl = ssl
        self._server: Server | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        self._server = serve(
            self._serve,
            "127.0.0.1",
            self.port,
            ssl=self._ssl,
            process_request=self._judge,
            compression=None,
            max_size=2**20,
            close_timeout=2,
        )
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Cut everything and stop listening."""
        assert self._server
        self._server.shutdown()
        self._thread.join(10)
        self.cut()

    def cut(self) -> None:
        """Break the connection without a word."""
        connection = self._connection
        if connection:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(2)
            connection.socket.close()

    @property
    def url(self) -> str:
        return f"{'https' if self._ssl else 'http'}://127.0.0.1:{self.port}"

    def send(self, *messages: Any) -> None:
        with self._lock:
            assert self._end
            assert self._connection
            for frame in self._end.send(*messages):
                self._connection.send(frame)

    def send_raw(self, data: str | bytes) -> None:
        assert self._connection
        self._connection.send(data)

    def send_fragments(self, parts: list[str]) -> None:
        """One message in several frames; a peer that hangs up in the middle is no error."""
        assert self._connection
        with contextlib.suppress(ConnectionClosed):
            self._connection.send(iter(parts))

    def command(self, command: str, run_id: str | None = None, **options: Any) -> str:
        run_id = run_id or uuid.uuid4().hex
        self.send(CommandMessage(run_id=run_id, command=command, options=Options(**options)))
        return run_id

    def wait(self, condition: Callable[[], Any], what: str = "", limit: float = WAIT) -> Any:
        """Wait until the condition holds; returns its value."""
        end = time.monotonic() + limit
        with self.changed:
            while not (value := condition()):
                left = end - time.monotonic()
                assert left > 0, f"waited {limit} s for {what or condition}"
                self.changed.wait(min(left, 0.5))
        return value

    def connected(self, count: int = 1) -> None:
        self.wait(
            lambda: len(self.registers) >= count and self._end and self._end.state == "active", "register"
        )

    def ended(self, run_id: str) -> Status:
        status: Status = self.wait(lambda: self.ends.get(run_id), f"the end of {run_id}")[0]
        return status

    def raw(self, run_id: str, stream: str | None = None) -> bytes:
        records = self.log.get(run_id, [])
        return b"".join(r.raw() for r in records if stream is None or r.stream == stream)

    def file(self, run_id: str) -> bytes:
        return b"".join(record.encode() for record in self.log.get(run_id, []))

    def of(self, cls: type) -> list[Any]:
        return [message for _, message in list(self.received) if isinstance(message, cls)]

    def facts(self) -> list[Facts]:
        """All facts told so far, with `register` or a heartbeat."""
        told = [message.facts for message in self.of(Register) + self.of(Heartbeat)]
        return [facts for facts in told if facts]

    def times(self, cls: type) -> list[float]:
        return [at for at, message in list(self.received) if isinstance(message, cls)]

    def _judge(self, connection: ServerConnection, request: Any) -> Any:
        if request.path == "/livez":
            return connection.respond(http.HTTPStatus.OK, "{}\n")
        if self.refuse:
            return connection.respond(http.HTTPStatus(self.refuse), "no\n")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")
        return None

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock:
            self._end, self._connection = ServerEnd(), connection
            end = self._end
        try:
            for frame in connection:
                assert isinstance(frame, str)
                messages = end.receive(frame)
                for message in messages:
                    self._on(message)
                self._acknowledge({message.run_id for message in messages if isinstance(message, Output)})
        except ConnectionClosed as closed:
            self.closes.append(
                (closed.rcvd.code if closed.rcvd else None, closed.rcvd.reason if closed.rcvd else "")
            )
        except (OSError, AssertionError):
            pass
        else:
            self.closes.append((connection.close_code, connection.close_reason or ""))
        with self.changed:
            self.changed.notify_all()

    def _on(self, message: Any) -> None:
        with self.changed:
            self.received.append((time.monotonic(), message))
            if isinstance(message, Register):
                self._on_register(message)
            elif isinstance(message, Output):
                self._on_output(message)
            elif isinstance(message, Status):
                self._on_status(message)
            self.changed.notify_all()

    def _on_register(self, message: Register) -> None:
        self.registers.append(message)
        if not self.answers:
            return
        held = tuple(
            HeldRun(run_id=r.run_id, have=len(self.log.get(r.run_id, [])), ended=r.run_id in self.acked_ends)
            for r in message.runs
        )
        self.send(Registered(host_id=message.hostname, protocol="1.0", server_version="0.0", at=0, runs=held))

    def _on_output(self, message: Output) -> None:
        log = self.log.setdefault(message.run_id, [])
        have = log[-1].seq if log else 0
        if message.seq > have + 1:
            self.gaps.append(f"{message.run_id}: {have} then {message.seq}")
        if message.seq > have:
            log.append(
                Record(message.seq, message.at, message.stream, text.to_bytes(message.line), message.partial)
            )

    def _acknowledge(self, run_ids: set[str]) -> None:
        if self.acknowledge and run_ids:
            self.send(*(Ack(run_id=run_id, seq=self.log[run_id][-1].seq) for run_id in run_ids))

    def _on_status(self, message: Status) -> None:
        if message.status == "running":
            self.begun[message.run_id] = message
            return
        self.ends.setdefault(message.run_id, []).append(message)
        if self.acknowledge:
            self.acked_ends.add(message.run_id)
            self.send(Ack(run_id=message.run_id, seq=message.last_seq, ended=True))


__all__ = ["FakeServer", "Heartbeat", "Pong", "Progress"]
