"""The client for asyncio: the same shell as `sync`, awaited."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from websockets.asyncio.client import connect

from nixfleet_protocol import limits
from nixfleet_protocol.client import calls, more_calls
from nixfleet_protocol.client.calls import Call, Plan
from nixfleet_protocol.client.faults import BROKEN, broken, unreachable
from nixfleet_protocol.client.follow import END, Follow, Patience
from nixfleet_protocol.client.manage_aio import AsyncManage
from nixfleet_protocol.client.settings import Settings
from nixfleet_protocol.errors import NixFleetError
from nixfleet_protocol.messages.api import LogRecord
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.parts import Options, RunView

T = TypeVar("T")


class _Connect(connect):
    """A redirect is an answer, not an order: following one would hand the token to whoever it names."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class AsyncRun:
    """A run on a host. `view` is the newest state known; `follow` and `wait` renew it."""

    def __init__(self, client: "AsyncClient", view: RunView) -> None:
        self._client = client
        self.view = view

    def __repr__(self) -> str:
        return f"<AsyncRun {self.id} {self.view.command} on {self.view.host_id}: {self.view.result or self.view.state}>"

    @property
    def id(self) -> str:
        """32 hexadecimal digits."""
        return self.view.run_id

    async def follow(self, from_seq: int = 1) -> AsyncIterator[LogRecord]:
        """The run's output, history first, then live, until it has ended. Nothing is lost or doubled by a reconnect.

        Raises NotConnected when the server stays away longer than the client's patience.
        """
        cursor = Follow(self.id, from_seq)
        async for record in self._client.watch(cursor):
            self.view = cursor.run or self.view
            yield record
        self.view = cursor.run or self.view

    async def wait(self, timeout: float | None = None) -> RunView:  # noqa: ASYNC109  (as in the sync client)
        """Wait for the end and return it. After `timeout` seconds raises TimeoutError; the run itself goes on."""
        if self.view.state != "ended":
            cursor = Follow(self.id, END)
            async for _ in self._client.watch(cursor, timeout):
                pass
            self.view = cursor.run or self.view
        return self.view

    async def stop(self) -> "AsyncRun":
        """Ask the host to end this run; returns the run of the `stop` itself. Raises Refused when it has ended.

        For a host that is away it stays `sent` until that is back, and its `message` says so.
        """
        return AsyncRun(self._client, await self._client.call(calls.stop(self.id)))


class AsyncClient(AsyncManage):
    """A connection to a NixFleet server, for `async with`. Arguments and errors are those of `Client`."""

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
        self._http = httpx.AsyncClient(
            base_url=self.settings.url + "/api/v1",
            headers=self.settings.headers,
            verify=self._tls or False,
            timeout=timeout,
            trust_env=not self.settings.local,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close idle connections."""
        await self._http.aclose()

    async def hosts(self) -> tuple[HostView, ...]:
        """All hosts, by criticality, then name."""
        return (await self.call(calls.hosts())).hosts

    async def host(self, host_id: str) -> HostView:
        """One host. Raises Refused (`no_such_host`)."""
        return await self.call(calls.host(host_id))

    async def run(self, host: str, command: str, *, key: str | None = None, **options: Any) -> AsyncRun:
        """Start a command on a host; see `Client.run`."""
        return AsyncRun(self, await self.call(calls.start(host, command, Options(**options), key)))

    async def runs(self, host: str | None = None, limit: int = 50) -> list[RunView]:
        """The newest runs first; `get_run` makes one that can be followed."""
        return await self.carry_out(calls.runs(host, limit))

    async def get_run(self, run_id: str) -> AsyncRun:
        """The run whose id is, or alone begins with, `run_id`. Raises Refused: `no_such_run`, `ambiguous_run`."""
        return AsyncRun(self, await self.carry_out(calls.find_run(run_id)))

    async def log(self, run_id: str, from_seq: int = 1) -> AsyncIterator[LogRecord]:
        """The records the server has now, from one on."""
        at: int | None = from_seq
        while at is not None:
            records, at = calls.records_of(await self.call(calls.log_page(run_id, at)), at)
            for record in records:
                yield record

    async def raw_log(self, run_id: str) -> AsyncIterator[bytes]:
        """Exactly the bytes the program wrote, in pieces."""
        async for piece in self._pieces(calls.raw_log(run_id)):
            yield piece

    async def backup(self) -> AsyncIterator[bytes]:
        """A backup of the server, in pieces; it holds secrets. Needs scope `admin`."""
        async for piece in self._pieces(more_calls.backup()):
            yield piece

    async def _pieces(self, call: Call[bytes]) -> AsyncIterator[bytes]:
        try:
            async with self._http.stream(call.method, call.path, params=call.params) as answer:
                if not answer.is_success:
                    calls.read_answer(call, answer.status_code, await answer.aread())
                async for piece in answer.aiter_bytes():
                    yield piece
        except httpx.TransportError as error:
            raise unreachable(self.settings.url, error) from error

    async def call(self, call: Call[T]) -> T:
        """Send one request and read its answer."""
        try:
            answer = await self._http.request(
                call.method,
                call.path,
                params=call.params,
                content=call.body,
                headers=call.headers,
            )
        except httpx.TransportError as error:
            raise unreachable(self.settings.url, error) from error
        return calls.read_answer(call, answer.status_code, answer.content)

    async def watch(
        self,
        cursor: Follow,
        timeout: float | None = None,  # noqa: ASYNC109  (as in the sync client)
    ) -> AsyncIterator[LogRecord]:
        """Feed a cursor until it is complete, over as many connections as it takes."""
        deadline = None if timeout is None else time.monotonic() + timeout
        patience = Patience(self.patience)
        while not cursor.complete:
            try:
                async with _Connect(
                    self.settings.socket_url,
                    ssl=self._tls,
                    additional_headers=self.settings.headers,
                    proxy=None if self.settings.local else True,
                    max_size=limits.SNAPSHOT_BYTES_MAX,
                    close_timeout=1,
                ) as socket:
                    await socket.send(cursor.subscribe())
                    while not cursor.complete:
                        left = None if deadline is None else max(0.0, deadline - time.monotonic())
                        records = cursor.receive(await asyncio.wait_for(socket.recv(), left))
                        patience.settle()
                        for record in records:
                            yield record
            except BROKEN as error:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"run {cursor.run_id} has not ended in {timeout:g} s") from None
                trouble = broken(self.settings.url, error)
                delay = patience.delay(trouble)
                self._on_trouble(trouble)
                await asyncio.sleep(delay if left is None else min(delay, left))

    async def carry_out(self, plan: Plan[T]) -> T:
        """Send the requests of a plan, one after the other."""
        answer: Any = None
        while True:
            try:
                call = plan.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = await self.call(call)
