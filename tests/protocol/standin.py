"""A stand-in for the server: the documented HTTP and WebSocket interface over a real socket, with faults on demand.

It lets tests decide what no honest server does: when the connection breaks, what comes twice, what is missing.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from nixfleet_protocol.encode import encode, to_dict
from nixfleet_protocol.messages.api import HostList, LogPage, LogRecord, Problem, RunList, RunRequest
from nixfleet_protocol.messages.browser import CommandOutput, HostView, Notice, RunUpdate, Snapshot, Subscribe
from nixfleet_protocol.messages.parts import RunView, TestReport
from nixfleet_protocol.text import to_bytes
from nixfleet_protocol.validate import read_json, validator

TOKEN = "good-token"
AT = 1_795_384_800_000


@dataclass
class Script:
    """What a command prints and how it ends. With `hold` it runs until the test releases it."""

    lines: list[str | LogRecord] = field(default_factory=list)
    result: str = "ok"
    exit_code: int | None = 0
    message: str = ""
    tests: TestReport | None = None
    hold: bool = False


class StandIn:
    """The state of the pretended fleet. Everything may be changed by the test while it serves."""

    def __init__(self) -> None:
        self.hosts = [HostView(host_id="web1", presence="online", connected=True, last_seen_at=AT)]
        self.scripts: dict[str, Script] = {}
        self.runs: dict[str, RunView] = {}
        self.records: dict[str, list[LogRecord]] = {}
        self.requests: list[tuple[str, Any]] = []
        self.break_after: list[int] = []
        """One entry per connection: break it after so many records."""
        self.skip: set[int] = set()
        """Sequence numbers left out: a gap."""
        self.refuse_sockets: list[int] = []
        """HTTP statuses to answer the next WebSocket upgrades with."""
        self.connections = 0
        self.page_size = 1000
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    # As the test sees it

    def start(self) -> None:
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
        config = uvicorn.Config(
            self._app(), ws="wsproto", log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join()
        self._listener.close()

    def add(self, command: str, run_id: str, host_id: str = "web1", **view: Any) -> RunView:
        """A run of this command, ended unless its script says hold."""
        script = self.scripts.get(command, Script())
        records = [
            line if isinstance(line, LogRecord) else LogRecord(seq=seq, at=AT, stream="stdout", line=line)
            for seq, line in enumerate(script.lines, 1)
        ]
        run = RunView(
            **(
                {
                    "run_id": run_id,
                    "host_id": host_id,
                    "command": command,
                    "state": "running",
                    "created_at": AT,
                    "started_at": AT,
                    "started_by": "tests",
                }
                | view
            )
        )
        self.records[run_id] = records
        self.runs[run_id] = run
        if not script.hold:
            self.end(run_id)
        return self.runs[run_id]

    def end(self, run_id: str, result: str | None = None) -> None:
        """Let a held run end."""
        run = self.runs[run_id]
        script = self.scripts.get(run.command, Script())
        self.runs[run_id] = replace(
            run,
            state="ended",
            result=result or script.result,
            exit_code=script.exit_code,
            message=script.message,
            tests=script.tests,
            ended_at=AT + 12_000,
            lines=len(self.records[run_id]),
        )

    # HTTP

    def _app(self) -> Starlette:
        api = "/api/v1"
        return Starlette(
            routes=[
                Route(f"{api}/hosts", self._hosts),
                Route(f"{api}/hosts/{{host}}", self._host),
                Route(f"{api}/hosts/{{host}}/runs", self._start, methods=["POST"]),
                Route(f"{api}/runs", self._runs),
                Route(f"{api}/runs/{{run}}", self._run),
                Route(f"{api}/runs/{{run}}/log", self._log),
                Route(f"{api}/runs/{{run}}/stop", self._stop, methods=["POST"]),
                Route("/elsewhere/api/v1/hosts", lambda _: PlainTextResponse("<html>hello</html>")),
                WebSocketRoute("/ws/browser", self._socket),
            ]
        )

    def _checked(self, request: Request) -> Response | None:
        self.requests.append((request.url.path, dict(request.query_params)))
        token = request.headers.get("authorization", "")
        if token == f"Bearer {TOKEN}":
            return None
        if token == "Bearer reader":
            return None if request.method == "GET" else problem(403, "scope", "this token may only read")
        return problem(401, "not_authenticated", "the token is not known; it may have been removed")

    async def _hosts(self, request: Request) -> Response:
        return self._checked(request) or answer(HostList(hosts=tuple(self.hosts)))

    async def _host(self, request: Request) -> Response:
        found = [host for host in self.hosts if host.host_id == request.path_params["host"]]
        return self._checked(request) or (answer(found[0]) if found else no_such("host"))

    async def _start(self, request: Request) -> Response:
        if refused := self._checked(request):
            return refused
        wanted = read_json(RunRequest, await request.body())
        self.requests.append(("run", wanted))
        host = next((h for h in self.hosts if h.host_id == request.path_params["host"]), None)
        if host is None:
            return no_such("host")
        if not host.connected:
            return problem(409, "host_offline", f"{host.host_id} is not connected")
        return answer(self.add(wanted.command, f"{len(self.runs) + 1:032x}", host.host_id), 201)

    async def _runs(self, request: Request) -> Response:
        if refused := self._checked(request):
            return refused
        query = request.query_params
        runs = [run for run in reversed(self.runs.values()) if query.get("host") in (None, run.host_id)]
        ids = [run.run_id for run in runs]
        first = ids.index(query["before"]) + 1 if "before" in query else 0
        size = min(int(query["limit"]), self.page_size)
        page = runs[first : first + size]
        more = first + size < len(runs)
        return answer(RunList(runs=tuple(page), next=page[-1].run_id if more else None))

    async def _run(self, request: Request) -> Response:
        run = self.runs.get(request.path_params["run"])
        return self._checked(request) or (answer(run) if run else no_such("run"))

    async def _log(self, request: Request) -> Response:
        run = self.runs.get(request.path_params["run"])
        if refused := self._checked(request) or (None if run else no_such("run")):
            return refused
        assert run
        records = self.records[run.run_id]
        if request.query_params.get("format") == "raw":
            raw = b"".join(to_bytes(r.line) + (b"" if r.partial else b"\n") for r in records)
            return Response(raw, media_type="application/octet-stream")
        start = int(request.query_params["from"])
        page = tuple(records[start - 1 : start - 1 + self.page_size])
        after = page[-1].seq + 1 if page else start
        done = run.state == "ended" and after > run.lines
        return answer(LogPage(run_id=run.run_id, records=page, next_seq=after, complete=done))

    async def _stop(self, request: Request) -> Response:
        run = self.runs.get(request.path_params["run"])
        if refused := self._checked(request) or (None if run else no_such("run")):
            return refused
        assert run
        if run.state == "ended":
            return problem(409, "not_running", f"run {run.run_id} has ended")
        self.end(run.run_id, "stopped")
        return answer(self.add("stop", f"{len(self.runs) + 1:032x}"), 201)

    # WebSocket

    async def _socket(self, websocket: WebSocket) -> None:
        if self.refuse_sockets:
            status = self.refuse_sockets.pop(0)
            await websocket.send_denial_response(
                problem(status, "scope", "no more") if status == 403 else PlainTextResponse("", status)
            )
            return
        self.connections += 1
        await websocket.accept()
        break_after = self.break_after.pop(0) if self.break_after else None
        with suppress(WebSocketDisconnect):
            await self._serve(websocket, break_after)

    async def _serve(self, websocket: WebSocket, break_after: int | None) -> None:
        send = websocket.send_text
        await send(encode(Snapshot(protocol="1.0", server_version="0.1.0", at=AT, hosts=tuple(self.hosts))))
        [wanted] = validator("browser → server")(await websocket.receive_text())
        assert isinstance(wanted, Subscribe)
        run = self.runs.get(wanted.run_id)
        if run is None:
            await send(encode(Notice(level="error", text="no such run", run_id=wanted.run_id)))
            await websocket.receive_text()
            return
        await send(encode(update(run)))
        at, sent, told = wanted.from_seq, 0, run
        while True:
            run = self.runs[wanted.run_id]
            for record in self.records[wanted.run_id][at - 1 :]:
                if break_after is not None and sent >= break_after:
                    await websocket.close(1012)
                    return
                at = record.seq + 1
                if record.seq in self.skip:
                    continue
                await send(encode(output(run, record)))
                sent += 1
            if run != told:
                await send(encode(update(run)))
                told = run
            with suppress(TimeoutError):
                await asyncio.wait_for(websocket.receive_text(), 0.01)


def update(run: RunView) -> RunUpdate:
    return RunUpdate(**{name: getattr(run, name) for name in RunView.__slots__})


def output(run: RunView, record: LogRecord) -> CommandOutput:
    own = {name: getattr(record, name) for name in LogRecord.__slots__}
    return CommandOutput(host_id=run.host_id, run_id=run.run_id, command=run.command, **own)


def answer(body: Any, status: int = 200) -> Response:
    return JSONResponse(to_dict(body), status)


def problem(status: int, code: str, detail: str) -> Response:
    body = to_dict(Problem(title=code, status=status, code=code, detail=detail))
    return JSONResponse(body, status, media_type="application/problem+json")


def no_such(what: str) -> Response:
    return problem(404, f"no_such_{what}", f"there is no {what} of that name")


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """A started stand-in."""
    server = StandIn()
    server.start()
    try:
        yield server
    finally:
        server.stop()
