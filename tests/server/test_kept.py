"""Logs of runs that have ended: packed, searched, removed; and what their readers see."""

import asyncio
import errno
import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from nixfleet_protocol.messages import Ack, CommandMessage, KnownRun
from nixfleet_protocol.messages.browser import CommandOutput, Notice
from nixfleet_server.domain.retention import Limits
from nixfleet_server.live.keeper import Keeper
from tests.server.support import FakeAgent, FakeBrowser, ServerThread, problem, serving, start, until


@pytest.fixture
def thrifty(tmp_path: Path) -> Iterator[ServerThread]:
    env = {"NIXFLEET_LOG_COMPRESS_AFTER": "0", "NIXFLEET_LOG_KEEP_RUNS": "2"}
    with serving(tmp_path / "data", env=env) as server:
        yield server


def keep(server: ServerThread) -> None:
    """A keeper's round, now."""
    assert server.context
    keeper: Keeper = server.context.ticker._keeper
    assert server._loop
    asyncio.run_coroutine_threadsafe(keeper.work(), server._loop).result(20)


def a_run(api: httpx.Client, agent: FakeAgent, lines: int = 30) -> str:
    run_id = str(start(api)["run_id"])
    run = agent.take()
    agent.begin(run)
    agent.output(run, 1, lines)
    agent.end(run, lines)
    agent.expect(Ack, lambda ack: ack.ended)
    return run_id


def test_a_packed_log_is_read_followed_and_searched(thrifty: ServerThread) -> None:
    token, script = thrifty.host(), thrifty.token()
    with FakeAgent(thrifty, token) as agent, thrifty.client(script) as api:
        agent.register()
        run_id = a_run(api, agent)
        path = f"/api/v1/runs/{run_id}/log"
        before = (
            api.get(path).json(),
            api.get(f"{path}?format=raw").content,
            api.get(f"{path}?from=7&limit=2").json(),
        )
        until(lambda: thrifty.hub.now() > api.get(f"/api/v1/runs/{run_id}").json()["ended_at"], "a moment")
        keep(thrifty)
        names = sorted(file.name for file in (thrifty.data / "logs").iterdir())
        assert names == [f"{run_id}.log.gz"]
        assert gzip.decompress((thrifty.data / "logs" / names[0]).read_bytes()).count(b"\n") == 30
        after = (
            api.get(path).json(),
            api.get(f"{path}?format=raw").content,
            api.get(f"{path}?from=7&limit=2").json(),
        )
        assert after == before
        with FakeBrowser(thrifty, token=script) as browser:
            browser.subscribe(run_id, 30)
            assert browser.expect(CommandOutput).line == "line 30"
        found = api.get(f"/api/v1/runs/{run_id}/search", params={"q": "LINE 2", "limit": 3}).json()
        assert [match["seq"] for match in found["matches"]] == [2, 20, 21]
        assert (found["total"], found["next_seq"]) == (11, 22)


def test_search_wants_words(api: httpx.Client, agent: FakeAgent) -> None:
    run_id = a_run(api, agent)
    for query in ("", "?q=", "?q=a%0Ab", f"?q={'x' * 300}", "?q=x&limit=0"):
        assert problem(api.get(f"/api/v1/runs/{run_id}/search{query}")) == (422, "invalid")
    assert api.get(f"/api/v1/runs/{run_id}/search?q=nothing").json()["matches"] == []
    assert problem(api.get(f"/api/v1/runs/{'0' * 32}/search?q=x")) == (404, "no_such_run")


def test_a_removed_log_is_told_as_one_and_its_run_stays(thrifty: ServerThread) -> None:
    token, script = thrifty.host(), thrifty.token()
    with FakeAgent(thrifty, token) as agent, thrifty.client(script) as api:
        agent.register()
        run_ids = [a_run(api, agent) for _ in range(3)]
        last = api.get(f"/api/v1/runs/{run_ids[-1]}").json()["ended_at"]
        until(lambda: thrifty.hub.now() > last, "a moment")
        keep(thrifty)
        assert len(list((thrifty.data / "logs").iterdir())) == 2
        gone = api.get(f"/api/v1/runs/{run_ids[0]}").json()
        assert (gone["result"], gone["lines"]) == ("ok", 30)
        assert gone["log_removed_at"]
        assert problem(api.get(f"/api/v1/runs/{run_ids[0]}/log")) == (410, "log_removed")
        assert problem(api.get(f"/api/v1/runs/{run_ids[0]}/search?q=x")) == (410, "log_removed")
        assert api.get(f"/api/v1/runs/{run_ids[2]}/log").status_code == 200
        with FakeBrowser(thrifty, token=script) as browser:
            browser.subscribe(run_ids[0])
            assert "removed" in browser.expect(Notice).text


def test_a_run_that_goes_on_after_a_restored_backup_finds_its_log_packed(tmp_path: Path) -> None:
    """The backup's database was older than its logs."""
    with serving(tmp_path / "data", env={"NIXFLEET_LOG_COMPRESS_AFTER": "0"}) as server:
        token, script = server.host(), server.token()
        with FakeAgent(server, token) as agent, server.client(script) as api:
            agent.register()
            run_id = a_run(api, agent)
            until(lambda: server.hub.now() > api.get(f"/api/v1/runs/{run_id}").json()["ended_at"], "a moment")
            keep(server)
    server.admin(
        lambda session: session.connection().execute(
            text(
                "UPDATE run SET state = 'running', result = NULL, ended_at = NULL, lines = 0, log_bytes = NULL"
            )
        )
    )
    with (
        serving(tmp_path / "data") as server,
        FakeAgent(server, token) as agent,
        server.client(script) as api,
    ):
        (held,) = agent.register(KnownRun(run_id=run_id, command="switch", ended=True, last_seq=30)).runs
        assert (held.have, held.ended) == (30, False)
        agent.end(CommandMessage(run_id=run_id, command="switch"), 30)
        agent.expect(Ack, lambda ack: ack.ended)
        assert api.get(f"/api/v1/runs/{run_id}/log?format=raw").text.count("\n") == 30


def ended(server: ServerThread, api: httpx.Client, *run_ids: str) -> None:
    last = max(api.get(f"/api/v1/runs/{run_id}").json()["ended_at"] for run_id in run_ids)
    until(lambda: server.hub.now() > last, "a moment")


def test_a_full_disk_does_not_keep_old_logs_from_being_removed(
    thrifty: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, script = thrifty.host(), thrifty.token()
    with FakeAgent(thrifty, token) as agent, thrifty.client(script) as api:
        agent.register()
        runs = [a_run(api, agent) for _ in range(2)]
        ended(thrifty, api, *runs)
        keep(thrifty)
        runs.append(a_run(api, agent))
        ended(thrifty, api, *runs)
        thrifty.call(lambda: setattr(thrifty.context.ticker._keeper, "_limits", Limits(runs=1)))  # type: ignore[union-attr]

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("nixfleet_server.logs.store.pack", full)
        keep(thrifty)
        names = {file.name.partition(".")[0] for file in (thrifty.data / "logs").iterdir()}
        assert names == {runs[1], runs[2]}


def test_a_damaged_log_keeps_no_other_from_being_packed(thrifty: ServerThread) -> None:
    token, script = thrifty.host(), thrifty.token()
    with FakeAgent(thrifty, token) as agent, thrifty.client(script) as api:
        agent.register()
        runs = [a_run(api, agent) for _ in range(2)]
        ended(thrifty, api, *runs)
        (thrifty.data / "logs" / f"{runs[0]}.log").write_bytes(b"\0" * 5000 + b"\n")
        keep(thrifty)
        names = {file.name for file in (thrifty.data / "logs").iterdir()}
        assert names == {f"{runs[0]}.log", f"{runs[1]}.log.gz"}
        runs += [a_run(api, agent) for _ in range(2)]
        ended(thrifty, api, *runs)
        keep(thrifty)
        names = {file.name for file in (thrifty.data / "logs").iterdir()}
        assert names == {f"{run_id}.log.gz" for run_id in runs[2:]}, "it goes in its turn"


def test_a_damaged_log_ends_no_connection(thrifty: ServerThread) -> None:
    token, script = thrifty.host(), thrifty.token()
    with FakeAgent(thrifty, token) as agent, thrifty.client(script) as api:
        agent.register()
        broken, whole = a_run(api, agent), a_run(api, agent)
        ended(thrifty, api, broken, whole)
        keep(thrifty)
        file = thrifty.data / "logs" / f"{broken}.log.gz"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(data)
        with FakeBrowser(thrifty, token=script) as browser:
            browser.subscribe(broken)
            assert "damaged" in browser.expect(Notice).text
            browser.subscribe(whole, 30)
            assert browser.expect(CommandOutput).line == "line 30"
