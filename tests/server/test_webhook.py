"""The webhook is told once, also over a restart of the server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from nixfleet_protocol.messages import Ack
from nixfleet_server.domain.events import retry_after
from nixfleet_server.errors import ConfigError
from nixfleet_server.settings import load
from tests.server.support import FakeAgent, ServerThread, serving, start, until


class Receiver:
    """Takes events, or refuses them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.refused = 0
        self.refusing: int | None = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.refusing:
                    receiver.refused += 1
                    self.send_response(receiver.refusing)
                    self.send_header("Location", receiver.url)
                else:
                    receiver.events.append(json.loads(body))
                    receiver.keys.append(self.headers["Idempotency-Key"])
                    self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}/hook?key=secret"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.httpd.shutdown()
        self.httpd.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def env(receiver: Receiver) -> dict[str, str]:
    return {"NIXFLEET_WEBHOOK_URL": receiver.url, "NIXFLEET_WEBHOOK_GRACE": "1"}


def end_one(api: httpx.Client, agent: FakeAgent, result: str, command: str = "switch") -> str:
    run_id = str(start(api, command)["run_id"])
    run = agent.take(command)
    agent.begin(run)
    agent.end(run, 0, result, message="why it did")
    agent.expect(Ack, lambda ack: ack.run_id == run_id and ack.ended)
    return run_id


def test_failed_and_rolled_back_runs_are_told_and_others_not(tmp_path: Path, receiver: Receiver) -> None:
    with serving(tmp_path / "data", env=env(receiver)) as server:
        token, script = server.host(), server.token()
        with FakeAgent(server, token) as agent, server.client(script) as api:
            agent.register()
            end_one(api, agent, "ok")
            end_one(api, agent, "stopped")
            failed = end_one(api, agent, "failed")
            back = end_one(api, agent, "rolled_back")
            until(lambda: len(receiver.events) >= 2, "both are told")
    assert [(event["event"], event["run_id"]) for event in receiver.events] == [
        ("run_failed", failed),
        ("run_rolled_back", back),
    ]
    assert receiver.events[0]["host_id"] == "web1"
    assert "why it did" in receiver.events[0]["text"]
    assert receiver.keys == [event["id"] for event in receiver.events]


def test_a_host_that_stays_away_is_told_once_for_each_time(tmp_path: Path, receiver: Receiver) -> None:
    data = tmp_path / "data"
    with serving(data, env=env(receiver)) as server:
        token = server.host()
        server.host("never-seen")
        with FakeAgent(server, token) as agent:
            agent.register()
        until(lambda: receiver.events, "the first outage")
        with FakeAgent(server, token) as agent:
            agent.register()
            until(lambda: server.call(lambda: server.hub.hosts["web1"].connection), "it is back")
        until(lambda: len(receiver.events) == 2, "the second")
    with serving(data, env=env(receiver)) as server:
        until(lambda: server.call(lambda: "web1" in webhook(server)._away), "noticed again after a restart")
        until(lambda: not server.call(lambda: webhook(server)._busy), "and what there is to send is sent")
    assert [(event["event"], event["host_id"]) for event in receiver.events] == [("host_offline", "web1")] * 2


def webhook(server: ServerThread) -> Any:
    assert server.context
    return server.context.ticker._webhook


def test_what_could_not_be_sent_is_sent_after_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    """A redirection is no delivery either: it is followed nowhere."""
    receiver.refusing = 302
    data = tmp_path / "data"
    with serving(data, env=env(receiver) | {"NIXFLEET_WEBHOOK_GRACE": "3600"}) as server:
        token, script = server.host(), server.token()
        with FakeAgent(server, token) as agent, server.client(script) as api:
            agent.register()
            end_one(api, agent, "failed")
            until(lambda: receiver.refused, "it is tried")
    assert receiver.events == []
    receiver.refusing = None
    with serving(data, env=env(receiver) | {"NIXFLEET_WEBHOOK_GRACE": "3600"}):
        until(lambda: receiver.events, "it is told after all")
    with serving(data, env=env(receiver) | {"NIXFLEET_WEBHOOK_GRACE": "3600"}) as server:
        until(lambda: server.call(lambda: webhook(server)._pruned > 0), "a round")
    assert len(receiver.events) == 1


def test_attempts_are_ever_further_apart() -> None:
    waits = [retry_after(attempts) for attempts in range(1, 30)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5.0, 3600.0)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://x/",
        "https://",
        "https://a:b@example.org/",
        "http://127.0.0.1:x/",
        "https://example.org/é",
        "https://example.org/a b",
    ],
)
def test_where_it_may_not_go(url: str) -> None:
    with pytest.raises(ConfigError, match="NIXFLEET_WEBHOOK_URL") as error:
        load({"NIXFLEET_WEBHOOK_URL": url})
    assert "example.org" not in str(error.value), "the address may hold a secret"


def test_where_it_may_go() -> None:
    for url in ("https://example.org/hook", "http://127.0.0.1:9000/x", "http://[::1]/", "http://localhost/"):
        assert load({"NIXFLEET_WEBHOOK_URL": url}).webhook_url
