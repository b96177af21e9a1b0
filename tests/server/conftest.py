"""A server for each test, with one host and one API token."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from nixfleet_server.cli import main
from tests.server.support import FakeAgent, ServerThread, serving

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S"),
        # structlog's own default draws tracebacks for seconds, during which a server in a thread stands still.
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ],
    # Past what a test reads of a command: a server in this process goes on to print its log.
    logger_factory=structlog.PrintLoggerFactory(sys.__stderr__),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerThread]:
    with serving(tmp_path / "data") as running:
        yield running


@pytest.fixture
def web1(server: ServerThread) -> str:
    """The token of host web1."""
    return server.host("web1")


@pytest.fixture
def api(server: ServerThread) -> Iterator[httpx.Client]:
    """A client with scope operate."""
    with server.client(server.token()) as client:
        yield client


@pytest.fixture
def boss(server: ServerThread) -> Iterator[httpx.Client]:
    """A client with scope admin."""
    with server.client(server.token("boss", "admin")) as client:
        yield client


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run the program in a data directory of its own; gives exit code, stdout and stderr."""
    monkeypatch.setenv("NIXFLEET_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("nixfleet_server.logging.configure", lambda *_: None)  # it is for the whole process

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(list(argv))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return run


@pytest.fixture
def agent(server: ServerThread, web1: str) -> Iterator[FakeAgent]:
    """A registered agent of web1."""
    with FakeAgent(server, web1) as connected:
        connected.register()
        yield connected


@pytest.fixture(autouse=True)
def documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No route answers with what its rule does not tell, whatever a test does to it."""
    found: list[str] = []
    monkeypatch.setattr(
        "nixfleet_server.api.guarded.undocumented",
        lambda rule, what: found.append(f"{rule.method} {rule.path}: {what}"),
    )
    yield
    assert found == []
