"""The client for scripts without asyncio: a thin shell around `calls` and `follow`."""

import os
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from websockets.sync.client import connect

from nixfleet_protocol import limits
from nixfleet_protocol.client import calls, more_calls
from nixfleet_protocol.client.calls import Call, Plan
from nixfleet_protocol.client.faults import BROKEN, broken, unreachable
from nixfleet_protocol.client.follow import END, Follow, Patience
from nixfleet_protocol.client.manage import Manage
from nixfleet_protocol.client.settings import Settings
from nixfleet_protocol.errors import NixFleetError
from nixfleet_protocol.messages.api import LogRecord
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.parts import Options, RunView

T = TypeVar("T")


class Run:
    """A run on a host. `view` is the newest state known; `follow` and `wait` renew it."""

    def __init__(self, client: "Client", view: RunView) -> None:
        self._client = client
        self.view = view

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.view.command} on {self.view.host_id}: {self.view.result or self.view.state}>"

    @property
    def id(self) -> str:
        """32 hexadecimal digits."""
        return self.view.run_id

    def follow(self, from_seq: int = 1) -> Iterator[LogRecord]:
        """The run's output, history first, then live, until it has ended. Nothing is lost or doubled by a reconnect.

        Raises NotConnected when the server stays away longer than the client's patience.
        """
        yield from self._watch(Follow(self.id, from_seq), None)

    def wait(self, timeout: float | None = None) -> RunView:
        """Wait for the end and return it. After `timeout` seconds raises TimeoutError; the run itself goes on."""
        if self.view.state != "ended":
            for _ in self._watch(Follow(self.id, END), timeout):
                pass
        return self.view

    def stop(self) -> "Run":
        """Ask the host to end this run; returns the run of the `stop` itself. Raises Refused when it has ended.

        For a host that is away it stays `sent` until that is back, and its `message` says so.
        """
        return Run(self._client, self._client.call(calls.stop(self.id)))

    def _watch(self, cursor: Follow, timeout: float | None) -> Iterator[LogRecord]:
        for record in self._client.watch(cursor, timeout):
            self.view = cursor.run or self.view
            yield record
        self.view = cursor.run or self.view


class Client(Manage):
    """A connection to a NixFleet server. Use it in a `with` block, or call `close`.

    What is not given comes from NIXFLEET_URL, NIXFLEET_TOKEN or NIXFLEET_TOKEN_FILE, and NIXFLEET_CA_FILE. `patience` is
    how many seconds `follow` and `wait` go on trying to reach a server that went away; `timeout` bounds each request;
    `on_trouble` is told each time a follower has to reconnect.

    Every method raises NotConnected, NotAllowed or Refused (see `nixfleet_protocol.errors`); the constructor raises
    Misconfigured.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        *,
        settings: Settings | None = None,
        patience: float = 300.0,
        timeout: float = 30.0,
        on_trouble: Callable[[NixFleetError], None] = lambda error: None,
    ) -> None:
        self.settings = settings or Settings.resolve(url, token, ca_file)
        self.patience = patience
        self._on_trouble = on_trouble
        self._tls = self.settings.tls()
        self._http = httpx.Client(
            base_url=self.settings.url + "/api/v1",
            headers=self.settings.headers,
            verify=self._tls or False,
            timeout=timeout,
            trust_env=not self.settings.local,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self._http.close()

    def hosts(self) -> tuple[HostView, ...]:
        """All hosts, by criticality, then name."""
        return self.call(calls.hosts()).hosts

    def host(self, host_id: str) -> HostView:
        """One host. Raises Refused (`no_such_host`)."""
        return self.call(calls.host(host_id))

    def run(self, host: str, command: str, *, key: str | None = None, **options: Any) -> Run:
        """Start a command on a host. Options are the fields of `messages.Options`: `ref`, `timeout`, `reason`, ….
        Sent again within 24 hours with the same `key` (any text), it gives the same run instead of a second one.

        Raises Refused: `no_such_host`, `host_offline`, `host_busy`, `unsupported_command`, `invalid`; TypeError for an
        option that does not exist.
        """
        return Run(self, self.call(calls.start(host, command, Options(**options), key)))

    def runs(self, host: str | None = None, limit: int = 50) -> list[RunView]:
        """The newest runs first; `get_run` makes one that can be followed."""
        return self.carry_out(calls.runs(host, limit))

    def get_run(self, run_id: str) -> Run:
        """The run whose id is, or alone begins with, `run_id`. Raises Refused: `no_such_run`, `ambiguous_run`."""
        return Run(self, self.carry_out(calls.find_run(run_id)))

    def log(self, run_id: str, from_seq: int = 1) -> Iterator[LogRecord]:
        """The records the server has now, from one on."""
        at: int | None = from_seq
        while at is not None:
            records, at = calls.records_of(self.call(calls.log_page(run_id, at)), at)
            yield from records

    def raw_log(self, run_id: str) -> Iterator[bytes]:
        """Exactly the bytes the program wrote, in pieces."""
        return self._pieces(calls.raw_log(run_id))

    def backup(self) -> Iterator[bytes]:
        """A backup of the server, in pieces; it holds secrets. Needs scope `admin`."""
        return self._pieces(more_calls.backup())

    def _pieces(self, call: Call[bytes]) -> Iterator[bytes]:
        try:
            with self._http.stream(call.method, call.path, params=call.params) as answer:
                if not answer.is_success:
                    calls.read_answer(call, answer.status_code, answer.read())
                yield from answer.iter_bytes()
        except httpx.TransportError as error:
            raise unreachable(self.settings.url, error) from error

    def call(self, call: Call[T]) -> T:
        """Send one request and read its answer."""
        try:
            answer = self._http.request(
                call.method,
                call.path,
                params=call.params,
                content=call.body,
                headers=call.headers,
            )
        except httpx.TransportError as error:
            raise unreachable(self.settings.url, error) from error
        return calls.read_answer(call, answer.status_code, answer.content)

    def watch(self, cursor: Follow, timeout: float | None = None) -> Iterator[LogRecord]:
        """Feed a cursor until it is complete, over as many connections as it takes."""
        deadline = None if timeout is None else time.monotonic() + timeout
        patience = Patience(self.patience)
        while not cursor.complete:
            try:
                with connect(
                    self.settings.socket_url,
                    ssl=self._tls,
                    additional_headers=self.settings.headers,
                    proxy=None if self.settings.local else True,
                    max_size=limits.SNAPSHOT_BYTES_MAX,
                    close_timeout=1,
                ) as socket:
                    socket.send(cursor.subscribe())
                    while not cursor.complete:
                        left = None if deadline is None else max(0.0, deadline - time.monotonic())
                        records = cursor.receive(socket.recv(left))
                        patience.settle()
                        yield from records
            except BROKEN as error:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"run {cursor.run_id} has not ended in {timeout:g} s") from None
                trouble = broken(self.settings.url, error)
                delay = patience.delay(trouble)
                self._on_trouble(trouble)
                time.sleep(delay if left is None else min(delay, left))

    def carry_out(self, plan: Plan[T]) -> T:
        """Send the requests of a plan, one after the other."""
        answer: Any = None
        while True:
            try:
                call = plan.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = self.call(call)
