"""What watchers see: everything at first, then every change, and logs without gaps."""

import json
import time

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from nixfleet_protocol import limits
from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages import Ack, Progress, ProgressState, parts
from nixfleet_protocol.messages.browser import (
    CommandOutput,
    CommandProgress,
    HostRemoved,
    HostUpdate,
    Notice,
    RunUpdate,
    Snapshot,
    Subscribe,
)
from nixfleet_server.live import socket
from nixfleet_server.store import access, hosts
from tests.server.support import (
    PATIENCE,
    FakeAgent,
    FakeBrowser,
    ServerThread,
    login,
    new_run_id,
    output,
    start,
    until,
)


@pytest.fixture
def token(server: ServerThread) -> str:
    return server.token("watcher", "read")


def follow(browser: FakeBrowser, run_id: str, from_seq: int = 1) -> list[CommandOutput]:
    """Subscribe and read until the run has ended and its log is complete."""
    browser.subscribe(run_id, from_seq)
    return read_on(browser, run_id, from_seq)


def read_on(browser: FakeBrowser, run_id: str, next_seq: int) -> list[CommandOutput]:
    found: list[CommandOutput] = []
    lines = None
    while lines is None or next_seq <= lines:
        message = browser.expect(object, lambda m: getattr(m, "run_id", None) == run_id)
        if isinstance(message, RunUpdate) and message.state == "ended":
            lines = message.lines
        elif isinstance(message, CommandOutput):
            assert message.seq == next_seq
            next_seq += 1
            found.append(message)
    return found


def test_a_watcher_sees_everything_then_every_change(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    with FakeBrowser(server, token=token) as browser:
        snapshot = browser.expect(Snapshot)
        assert [(host.host_id, host.presence) for host in snapshot.hosts] == [("web1", "online")]
        run_id = start(api, "test")["run_id"]
        browser.expect(HostUpdate, lambda host: host.pending_command == "test" and host.run_id == run_id)
        update = browser.expect(RunUpdate, lambda run: run.run_id == run_id)
        assert (update.state, update.started_by) == ("sent", "script")
        run = agent.take()
        agent.begin(run)
        browser.expect(HostUpdate, lambda host: host.command_pid == 4711)
        progress = ProgressState(phase="test", current=3, total=10)
        agent.send(Progress(run_id=run_id, command="test", progress=progress))
        assert browser.expect(CommandProgress).progress == progress
        agent.end(run, 0, "failed")
        assert browser.expect(RunUpdate, lambda run: run.state == "ended").result == "failed"
        assert api.get("/api/v1/hosts/web1").json()["pending_command"] is None
        agent.__exit__()
        browser.expect(HostUpdate, lambda host: host.presence == "offline")
        server.host("late", "high")
        browser.expect(HostUpdate, lambda host: host.host_id == "late")
        server.admin(lambda session: hosts.remove(session, "late"))
        assert browser.expect(HostRemoved).host_id == "late"


def test_history_and_live_come_through_one_path(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    start(api)
    run = agent.take()
    agent.output(run, 1, 900, "x" * 1000 + " {}")  # far more than the ring keeps
    with FakeBrowser(server, token=token) as early, FakeBrowser(server, token=token) as late:
        early.subscribe(run.run_id)
        first = early.expect(RunUpdate, lambda update: update.run_id == run.run_id)
        assert first.state == "sent"
        agent.expect(Ack, lambda ack: ack.seq == 900)
        agent.output(run, 901, 1000)
        agent.end(run, 1000)
        seen = read_on(early, run.run_id, 1)
        assert [line.seq for line in seen] == list(range(1, 1001))
        assert seen[-1].line == "line 1000"
        assert [line.seq for line in follow(late, run.run_id, 998)] == [998, 999, 1000]
        assert follow(late, run.run_id, 1001) == []


def test_subscribing_beyond_the_end_waits_for_it(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    start(api)
    run = agent.take()
    with FakeBrowser(server, token=token) as browser:
        browser.subscribe(run.run_id, 3)
        browser.expect(RunUpdate, lambda update: update.run_id == run.run_id)
        agent.output(run, 1, 4)
        agent.end(run, 4)
        assert [line.seq for line in read_on(browser, run.run_id, 3)] == [3, 4]


def test_output_reaches_a_watcher_before_the_disk(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    start(api)
    run = agent.take()
    with FakeBrowser(server, token=token) as browser:
        browser.subscribe(run.run_id)
        browser.expect(RunUpdate, lambda update: update.run_id == run.run_id)
        server.hub.logs._writer.append = lambda *_: None  # type: ignore[method-assign]
        agent.send(output(run, 1, "caf\u00e9 \U0010ffff"))
        assert browser.expect(CommandOutput).line == "caf\u00e9 \U0010ffff"


def test_unsubscribing_ends_it(server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str) -> None:
    start(api)
    run = agent.take()
    with FakeBrowser(server, token=token) as browser:
        browser.subscribe(run.run_id)
        agent.output(run, 1, 1)
        browser.expect(CommandOutput)
        browser.socket.send(json.dumps({"type": "unsubscribe", "payload": {"run_id": run.run_id}}))
        browser.subscribe(new_run_id())
        browser.expect(Notice)  # so the one before is done
        agent.output(run, 2, 2)
        agent.end(run, 2)
        got = browser.expect(
            object, lambda m: isinstance(m, CommandOutput) or getattr(m, "state", "") == "ended"
        )
        assert isinstance(got, RunUpdate)


def test_an_unknown_run_and_too_many_subscriptions_get_a_notice(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    start(api)
    run = agent.take()
    with FakeBrowser(server, token=token) as browser:
        unknown = new_run_id()
        browser.subscribe(unknown)
        notice = browser.expect(Notice)
        assert (notice.level, notice.run_id) == ("error", unknown)
        browser.subscribe(run.run_id)  # the connection lives on
        browser.expect(RunUpdate, lambda update: update.run_id == run.run_id)


@pytest.mark.parametrize(
    ("frame", "code"), [("{", 1007), ('{"type":"subscribe","payload":{}}', 1008), (b"x", 1003)]
)
def test_a_broken_rule_costs_the_watcher_its_connection(
    server: ServerThread, token: str, frame: str | bytes, code: int
) -> None:
    with FakeBrowser(server, token=token) as browser, FakeBrowser(server, token=token) as other:
        browser.socket.send(frame)
        assert browser.closed()[0] == code
        other.subscribe(new_run_id())
        other.expect(Notice)


def test_only_our_own_page_may_open_the_socket_with_a_cookie(server: ServerThread) -> None:
    with server.client() as client:
        csrf = login(client)
        cookie = f"nixfleet={client.cookies['nixfleet']}"
        for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            with pytest.raises(InvalidStatus) as refused:
                FakeBrowser(server, Cookie=cookie, **headers)
            assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus) as refused:
            FakeBrowser(server, Origin=server.url)
        assert refused.value.response.status_code == 401
        with FakeBrowser(server, Cookie=cookie, Origin=server.url) as browser:
            browser.expect(Snapshot)
            headers = {"Origin": server.url, "X-CSRF-Token": csrf}
            assert client.delete("/api/v1/session", headers=headers).status_code == 204
            assert browser.closed()[0] == 1008


def test_a_removed_token_loses_its_open_socket(server: ServerThread, token: str) -> None:
    with FakeBrowser(server, token=token) as browser:
        browser.expect(Snapshot)
        server.admin(lambda session: access.remove_token(session, "watcher"))
        assert browser.closed()[0] == 1008


def test_a_watcher_that_does_not_read_harms_only_itself(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "SEND_TIMEOUT", 4.0)
    start(api)
    run = agent.take()
    with FakeBrowser(server, token=token) as slow, FakeBrowser(server, token=token) as quick:
        slow.subscribe(run.run_id)
        quick.subscribe(run.run_id)
        for first in range(1, 4001, 400):
            agent.output(run, first, first + 399, "y" * 4000 + " {}")
            agent.expect(Ack, lambda ack, last=first + 399: ack.seq == last)
        agent.end(run, 4000)
        assert len(read_on(quick, run.run_id, 1)) == 4000
        until(lambda: server.call(lambda: len(server.hub.browsers)) == 1, "the slow one is cut off")
    assert api.get("/readyz").status_code == 200


def test_each_line_reaches_a_watcher_by_itself(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    start(api)
    run = agent.take()
    with FakeBrowser(server, token=token) as browser:
        browser.subscribe(run.run_id)
        for seq in range(1, 21):
            before = time.monotonic()
            agent.output(run, seq, seq)
            browser.expect(CommandOutput, lambda line, seq=seq: line.seq == seq)
            assert (
                time.monotonic() - before < PATIENCE / 2
            )  # a wide bound: what is measured is in the benchmarks


def test_asking_again_and_again_unread_is_answered_once(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    run_id = start(api)["run_id"]
    one = encode(Subscribe(run_id=run_id, from_seq=1))
    with FakeBrowser(server, token=token) as browser:
        browser.expect(Snapshot)
        # 1,000 questions in one frame: none of their answers can be on its way before the last is asked
        browser.socket.send("[" + ",".join([one] * limits.BATCH_MESSAGES_MAX) + "]")
        stranger = new_run_id()
        browser.subscribe(stranger)
        answers = 0
        while not isinstance(message := browser.expect(object), Notice):
            answers += isinstance(message, RunUpdate) and message.run_id == run_id
        assert 1 <= answers < 10


def test_a_hosts_last_run_comes_without_its_failed_tests(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, token: str
) -> None:
    start(api, "test")
    run = agent.take()
    failure = parts.TestFailure(name="smoke", output="x" * 4000)
    agent.end(run, 0, "failed", tests=parts.TestReport(total=2, passed=1, failed=1, failures=(failure,)))
    agent.expect(Ack, lambda ack: ack.ended)
    with FakeBrowser(server, token=token) as browser:
        (host,) = browser.expect(Snapshot).hosts
        assert host.last_run
        assert host.last_run.tests == parts.TestReport(total=2, passed=1, failed=1)
        browser.subscribe(run.run_id)
        update = browser.expect(RunUpdate, lambda update: update.state == "ended")
        assert update.tests
        assert update.tests.failures == (failure,)
    assert api.get("/api/v1/hosts/web1").json()["last_run"]["tests"]["failures"] == []
    assert len(api.get(f"/api/v1/runs/{run.run_id}").json()["tests"]["failures"]) == 1
