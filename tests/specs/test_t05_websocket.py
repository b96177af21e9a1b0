"""Spec T05, sockets: who is let in, what reaches whom, in order and at once, and what remains when somebody leaves."""

from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from nixfleet_protocol.messages import Ack, Metrics, Ping
from nixfleet_protocol.messages.browser import CommandOutput, HostUpdate, RunUpdate, Snapshot
from tests.server.support import FakeAgent, FakeBrowser, ServerProcess, start, until
from tests.specs.served import served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with served(tmp_path_factory.mktemp("t05")) as made:
        yield made


@pytest.fixture(scope="module")
def script(server: ServerProcess) -> str:
    return server.token()


def test_an_agent_and_a_browser_are_let_in_and_strangers_are_not(server: ServerProcess, script: str) -> None:
    token = server.host("t05-in")
    with FakeAgent(server, token, "t05-in") as agent, FakeBrowser(server, token=script) as browser:
        assert agent.register().host_id == "t05-in"
        assert "t05-in" in [host.host_id for host in browser.expect(Snapshot).hosts]
    for open_one in (
        lambda: FakeAgent(server, "wrong"),
        lambda: FakeBrowser(server, token="wrong"),
        lambda: FakeBrowser(server),
        lambda: FakeAgent(server, script),
        lambda: FakeBrowser(server, token=token),
    ):
        with pytest.raises(InvalidStatus) as refused:
            open_one()
        assert refused.value.response.status_code == 401


def test_a_heartbeat_reaches_every_browser(server: ServerProcess, script: str) -> None:
    token = server.host("t05-beat")
    with (
        FakeAgent(server, token, "t05-beat") as agent,
        FakeBrowser(server, token=script) as one,
        FakeBrowser(server, token=script) as other,
    ):
        agent.register()
        agent.heartbeat(metrics=Metrics(cpu=42.5))
        for browser in (one, other):
            browser.expect(
                HostUpdate,
                lambda host: (
                    host.host_id == "t05-beat" and host.metrics is not None and host.metrics.cpu == 42.5
                ),
            )


def test_a_command_reaches_its_host_only_and_every_browser_hears_of_it(
    server: ServerProcess, script: str
) -> None:
    tokens = {name: server.host(name) for name in ("t05-a", "t05-b")}
    with (
        FakeAgent(server, tokens["t05-a"], "t05-a") as its,
        FakeAgent(server, tokens["t05-b"], "t05-b") as others,
        FakeBrowser(server, token=script) as browser,
        server.client(script) as api,
    ):
        its.register()
        others.register()
        run_id = start(api, "pull", "t05-a")["run_id"]
        assert its.take().run_id == run_id
        update = browser.expect(RunUpdate, lambda run: run.run_id == run_id)
        assert (update.host_id, update.state) == ("t05-a", "sent")
        assert others.quiet() == []


def test_output_comes_in_order_to_all_who_follow(server: ServerProcess, script: str) -> None:
    token = server.host("t05-out")
    with (
        FakeAgent(server, token, "t05-out") as agent,
        FakeBrowser(server, token=script) as one,
        FakeBrowser(server, token=script) as other,
        server.client(script) as api,
    ):
        agent.register()
        start(api, "switch", "t05-out")
        run = agent.take()
        for browser in (one, other):
            browser.subscribe(run.run_id)
        agent.begin(run)
        for first in range(1, 301, 10):
            agent.output(run, first, first + 9)
        agent.end(run, 300)
        for browser in (one, other):
            lines = [browser.expect(CommandOutput) for _ in range(300)]
            assert [(line.seq, line.line) for line in lines] == [(n, f"line {n}") for n in range(1, 301)]
        agent.expect(Ack, lambda ack: ack.ended)


def test_who_leaves_is_shown_as_gone_and_leaves_nothing_behind(server: ServerProcess, script: str) -> None:
    token = server.host("t05-gone")
    with server.client(script) as api, FakeBrowser(server, token=script) as browser:
        with FakeAgent(server, token, "t05-gone") as agent:
            agent.register()
            browser.expect(HostUpdate, lambda host: host.host_id == "t05-gone" and host.presence == "online")
        browser.expect(HostUpdate, lambda host: host.host_id == "t05-gone" and host.presence == "offline")

        def connections() -> dict[str, str]:
            text = api.get("/metrics").text
            return dict(
                line.split(" ") for line in text.splitlines() if line.startswith("nixfleet_connections{")
            )

        before = connections()['nixfleet_connections{kind="browser"}']
        with FakeBrowser(server, token=script) as passing:
            passing.expect(Snapshot)
        until(lambda: connections()['nixfleet_connections{kind="browser"}'] == before, "it is forgotten")


def test_agents_are_pinged_all_the_time(server: ServerProcess) -> None:
    token = server.host("t05-ping")
    with FakeAgent(server, token, "t05-ping") as agent:
        agent.register()
        agent.expect(Ping)
