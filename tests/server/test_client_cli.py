"""`nixfleet` against a real server: what an operator manages with it."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from nixfleet_protocol.cli import main
from nixfleet_protocol.messages import Ack
from tests.server.support import FakeAgent, ServerThread, until

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(server: ServerThread, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the program as an admin; gives exit code, stdout and stderr."""
    monkeypatch.setenv("NIXFLEET_URL", server.url)
    monkeypatch.setenv("NIXFLEET_TOKEN", server.token("boss", "admin"))

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(list(argv))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return run


def test_a_host_by_command(server: ServerThread, cli: Cli) -> None:
    code, out, _ = cli("host", "add", "db1", "--criticality", "high", "--notes", "rack\x1b[2J 3")
    assert (code, out.startswith("nfa_")) == (0, True)
    with FakeAgent(server, out.strip(), "db1") as agent:
        agent.register()
        assert "high" in cli("host", "show", "db1")[1]
        shown = cli("host", "show", "db1")[1]
        assert "\x1b" not in shown
        assert "online" in shown
    assert json.loads(cli("host", "set", "db1", "--notes", "", "--json")[1])["notes"] == ""
    rotated = json.loads(cli("--json", "host", "rotate", "db1", "--overlap", "1h")[1])
    assert rotated["overlap_until"]
    assert cli("host", "add", "db1")[0] == 1
    assert cli("host", "add", "-")[0] == 2
    assert cli("host", "remove", "db1")[0] == 0
    assert cli("host", "show", "db1")[0] == 2
    assert cli("host")[0] == 2


def test_tokens_enrolment_and_audit_by_command(
    server: ServerThread, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cli("token", "add", "ci", "--expires", "1h")[1].strip()
    assert made.startswith("nfc_")
    listed = cli("token", "list")[1]
    assert "ci" in listed
    assert made not in listed
    line = cli("enroll-token", "--host", "web9")[1]
    assert line.startswith(f"nixfleet-agent enroll {server.url} nfe_")
    assert cli("token", "revoke", "ci")[0] == 0
    assert cli("token", "revoke", "ci")[0] == 2
    entries = json.loads(cli("audit", "--json", "--limit", "3")[1])["entries"]
    assert [entry["action"] for entry in entries] == ["token.revoke", "enroll-token.add", "token.add"]
    assert "token.revoke" in cli("audit")[1]
    monkeypatch.setenv("NIXFLEET_TOKEN", server.token("reader", "read"))
    assert cli("audit")[0] == 4
    assert cli("host", "add", "x")[0] == 4


def stopped(agent: FakeAgent) -> None:
    """Do a run and end it when told to."""
    run, stop = agent.take(), agent.take("stop")
    agent.end(run, 0, "stopped")
    agent.end(stop, 0)


def test_one_command_on_several_hosts(server: ServerThread, cli: Cli) -> None:
    assert server.context is not None
    server.context.bulks._until = 0.0  # nobody waits for hosts that a restart of the server may have cut off
    tokens = {name: server.host(name) for name in ("web1", "web2", "gone")}
    with FakeAgent(server, tokens["web1"], "web1") as one, FakeAgent(server, tokens["web2"], "web2") as two:
        one.register()
        two.register()

        def play(agent: FakeAgent, result: str) -> None:
            agent.end(agent.take(), 0, result)

        with ThreadPoolExecutor(2) as pool:
            plays = [pool.submit(play, one, "ok"), pool.submit(play, two, "failed")]
            code, out, err = cli("run", "web1", "web2", "gone", "pull")
            for each in plays:
                each.result()
        assert code == 1
        assert "on 3 hosts" in err
        assert "web1 pull: ok" in out
        assert "web2 pull: failed" in out
        assert "gone: not started, host_offline" in out
        with ThreadPoolExecutor(1) as pool:
            playing = pool.submit(play, one, "ok")
            code, out, _ = cli("run", "web1", "--json", "pull", "--queue")
            playing.result()
        assert (code, json.loads(out)["result"]) == (0, "ok")
        bulk_id = cli("run", "web1", "web2", "pull", "--detach")[1].strip()
        assert re.fullmatch("[0-9a-f]{32}", bulk_id)
        assert cli("run", "web1", "web2", "pull", "--follow")[0] == 2
        with ThreadPoolExecutor(2) as pool:
            ends = [pool.submit(stopped, agent) for agent in (one, two)]
            code, out, _ = cli("stop", "--bulk", bulk_id)
            for each in ends:
                each.result()
        assert code == 0
        assert sorted(re.findall("(web[12]) pull: stopped", out)) == ["web1", "web2"]
        assert cli("stop", "--bulk", "0" * 32)[0] == 2
        assert cli("stop")[0] == 2


def test_stopping_what_runs_on_a_host_that_is_away_does_not_wait_for_it(
    server: ServerThread, cli: Cli
) -> None:
    token = server.host("web1")
    with FakeAgent(server, token) as agent:
        agent.register()
        run_id = cli("run", "web1", "pull", "--detach")[1].strip()
        agent.begin(agent.take("pull"))
    until(lambda: not json.loads(cli("host", "show", "web1", "--json")[1])["connected"], "it is away")
    code, out, err = cli("stop", run_id)
    assert (code, out, err.strip()) == (1, "", "web1 is not connected; it is told as soon as it is back")
    code, out, _ = cli("stop", run_id, "--json")
    assert (code, json.loads(out)["options"]["target"]) == (1, run_id)


def test_searching_a_log(server: ServerThread, cli: Cli) -> None:
    with FakeAgent(server, server.host("web1")) as agent:
        agent.register()
        run_id = cli("run", "web1", "switch", "--detach")[1].strip()
        run = agent.take()
        agent.output(run, 1, 20, "\x1b[2Jline {} Error")
        agent.end(run, 20)
        agent.expect(Ack, lambda ack: ack.ended)
    until(lambda: cli("logs", run_id, "--search", "error")[0] == 0, "found")
    code, out, _ = cli("logs", run_id[:8], "--search", "LINE 7 ")
    assert (code, out) == (0, "7: line 7 Error\n")
    assert cli("logs", run_id, "--search", "nothing")[0] == 1
    assert json.loads(cli("logs", run_id, "--search", "line 7 ", "--json")[1])["matches"][0]["seq"] == 7
    assert cli("logs", run_id, "--search", "x", "--raw")[0] == 2
