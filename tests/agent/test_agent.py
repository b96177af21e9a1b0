"""The agent as a user has it: real processes, a real repository, a real WebSocket."""

import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nixfleet_agent import __version__
from nixfleet_protocol.messages import Heartbeat, Ping, Pong, Progress
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer

Make = Callable[..., Agent]
SLOW = "#!/bin/sh\necho begun\nfor i in $(seq 1 60); do echo line $i; sleep 0.1; done\nexit 7\n"
HEAVY = {
    "argparse",
    "asyncio",
    "concurrent.futures",
    "http.client",
    "httpx",
    "logging",
    "pathlib",
    "platform",
    "psutil",
    "pydantic",
    "random",
    "subprocess",
    "urllib.request",
}
HANG = "#!/bin/sh\necho begun\nsleep 600\n"


def begun(server: FakeServer, run_id: str) -> None:
    server.wait(lambda: b"begun\n" in server.raw(run_id), "the first line")


def same(server: FakeServer, agent: Agent, run_id: str) -> None:
    """The log at the server is byte for byte the journal, and nothing came twice or out of order."""
    assert server.file(run_id) == agent.output(run_id)
    assert server.gaps == []
    assert len({end.status for end in server.ends[run_id]}) == 1


def test_a_switch_runs_streams_and_ends_once(server: FakeServer, repo: Repo, agent: Make) -> None:
    commit = repo.commit({"switch": "#!/bin/sh\necho out $NIXFLEET_HOSTNAME\necho err >&2\n"})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")

    end = server.ended(run_id)

    assert (end.status, end.exit_code, end.generation, end.commit) == ("ok", 0, "1", commit)
    assert server.raw(run_id, "stdout").endswith(b"out web1\n")
    assert server.raw(run_id, "stderr").endswith(b"err\n")
    same(server, one, run_id)
    assert end.last_seq == len(server.log[run_id])
    assert server.begun[run_id].pid


def test_a_failed_switch_says_why_and_keeps_the_generation(
    server: FakeServer, repo: Repo, agent: Make
) -> None:
    repo.commit({"switch": "#!/bin/sh\necho error: no such attribute >&2\nexit 3\n"})
    agent()
    server.connected()

    end = server.ended(server.command("switch"))

    assert (end.status, end.exit_code, end.generation) == ("failed", 3, None)
    assert end.message == "switch failed with exit code 3: error: no such attribute"


def test_any_bytes_arrive_as_they_were_written(server: FakeServer, repo: Repo, agent: Make) -> None:
    wild = (
        b"nul \0 bad \xff\xfe\xc3 cr\rcr\r\n"
        + b"m" * 1_000_000
        + "ü€😀\n".encode()
        + b"\xf4\x8f\xbe\x80"
        + b"no newline"
    )
    repo.commit({"wild": wild, "switch": "#!/bin/sh\ncat wild; cat wild >&2\n"})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")

    server.ended(run_id)

    assert server.raw(run_id, "stdout").endswith(wild)
    assert server.raw(run_id, "stderr").endswith(wild)
    same(server, one, run_id)


def test_a_killed_agent_goes_on_where_it_was(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": SLOW})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)
    one.kill()
    time.sleep(1)
    one.start()

    end = server.ended(run_id)

    assert (end.status, end.exit_code) == ("failed", 7)
    assert server.registers[1].runs[0].run_id == run_id
    same(server, one, run_id)


def test_a_server_that_vanishes_misses_nothing(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": SLOW})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)
    server.stop()
    time.sleep(2)
    server.start()

    end = server.ended(run_id)

    assert (end.status, end.exit_code) == ("failed", 7)
    assert server.raw(run_id).count(b"line ") == 60
    same(server, one, run_id)


def test_what_ended_while_nobody_listened_is_told_later(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": "#!/bin/sh\necho begun\nsleep 1\nexit 9\n"})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)
    server.stop()
    one.kill()
    deadline = time.monotonic() + 30
    while not (one.run_dir(run_id) / "result.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    server.start()
    one.start()

    assert server.ended(run_id).exit_code == 9
    assert server.registers[-1].runs[0].ended
    same(server, one, run_id)


def test_a_killed_runner_is_settled_as_interrupted(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": "#!/bin/sh\necho begun\nsleep 1\necho unread\nsleep 600\n"})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)
    runner = psutil.Process(server.begun[run_id].pid)
    sleeping = runner.children(recursive=True)
    os.kill(runner.pid, signal.SIGSTOP)
    time.sleep(1.5)
    runner.kill()

    end = server.ended(run_id)

    assert (end.status, end.exit_code) == ("interrupted", None)
    assert "killed" in end.message
    assert server.raw(run_id).endswith(b"unread\n")
    assert not any(process.is_running() and process.status() != "zombie" for process in sleeping)
    same(server, one, run_id)
    assert server.ended(server.command("pull")).status == "ok"


def test_stop_ends_the_whole_tree_and_keeps_the_output(server: FakeServer, repo: Repo, agent: Make) -> None:
    stubborn = "#!/bin/sh\ntrap '' TERM\n(setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done') &\necho begun\nwhile :; do sleep 1; done\n"
    repo.commit({"switch": stubborn})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)
    tree = psutil.Process(server.begun[run_id].pid).children(recursive=True)
    stop_id = server.command("stop", target=run_id)

    end, stopped = server.ended(run_id), server.ended(stop_id)

    assert (end.status, end.message) == ("stopped", "stopped by user")
    assert end.exit_code == 137
    assert (stopped.status, stopped.exit_code) == ("ok", 0)
    assert len(tree) >= 3
    assert not any(process.is_running() and process.status() != "zombie" for process in tree)
    assert b"begun\n" in server.raw(run_id)
    same(server, one, run_id)


def test_stop_with_nothing_to_stop_fails_and_says_so(server: FakeServer, agent: Make) -> None:
    agent()
    server.connected()

    end = server.ended(server.command("stop"))

    assert (end.status, end.message) == ("failed", "nothing to stop: no command is running")


def test_a_second_command_is_rejected_naming_the_first(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": HANG})
    agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)

    end = server.ended(server.command("test"))

    assert end.status == "rejected"
    assert end.message == f"busy: pull-switch (run {run_id}) is running"


def test_a_command_of_another_time_is_rejected(server: FakeServer, agent: Make) -> None:
    agent()
    server.connected()

    assert server.ended(server.command("dance")).message == "this agent has no command dance"


def test_a_command_sent_again_is_answered_not_started_again(
    server: FakeServer, repo: Repo, agent: Make
) -> None:
    repo.commit({"switch": "#!/bin/sh\necho ran >> $HOME/count\n"})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    first = server.ended(run_id)
    one.kill()
    one.start()
    server.connected(2)
    server.acked_ends.clear()
    server.command("pull-switch", run_id)
    server.wait(lambda: len(server.ends[run_id]) == 2, "the state of the first run")

    assert server.ends[run_id][1] == first
    assert (one.state.parent / "count").read_text() == "ran\n"


def test_a_time_limit_ends_the_run_as_timed_out(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": HANG})
    agent()
    server.connected()

    end = server.ended(server.command("pull-switch", timeout=2.0))

    assert (end.status, end.message) == ("timed_out", "timed out after 2 s")


def test_heartbeats_go_on_during_a_command(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": "#!/bin/sh\necho begun\nexec sleep 6\n"})
    agent()
    server.connected()
    run_id = server.command("pull-switch")
    server.ended(run_id)

    busy = [beat for beat in server.of(Heartbeat) if beat.run_id == run_id]

    assert len(busy) >= 5
    assert {(beat.pending_command, beat.command_pid) for beat in busy} >= {
        ("pull-switch", server.begun[run_id].pid)
    }
    assert server.of(Heartbeat)[0].pending_command is None


def test_restart_leaves_for_the_supervisor_and_reports_afterwards(server: FakeServer, agent: Make) -> None:
    one = agent()
    server.connected()
    run_id = server.command("restart")
    assert one.process
    code = one.process.wait(20)
    one.start()

    end = server.ended(run_id)

    assert code == 0
    assert server.closes[0] == (1000, "restart")
    assert (end.status, end.message) == ("ok", f"the agent restarted, version {__version__}")


def test_sigterm_closes_politely_and_leaves_the_command_running(
    server: FakeServer, repo: Repo, agent: Make
) -> None:
    repo.commit({"switch": SLOW})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)

    assert one.kill(signal.SIGTERM) == 0
    server.wait(lambda: server.closes, "the close")
    assert server.closes[0] == (1000, "shutdown")
    assert psutil.pid_exists(server.begun[run_id].pid)
    one.start()
    assert server.ended(run_id).exit_code == 7
    same(server, one, run_id)


def test_a_second_agent_on_the_same_state_refuses(server: FakeServer, agent: Make) -> None:
    one = agent()
    server.connected()

    second = one.call("run")

    assert second.returncode == 2
    assert one.process
    assert str(one.process.pid) in second.stderr


def test_a_wrong_token_is_said_and_tried_again(server: FakeServer, agent: Make) -> None:
    one = agent(NIXFLEET_TOKEN="wrong-one")
    deadline = time.monotonic() + 30
    while one.log.read_text().count("HTTP 401") < 2 and time.monotonic() < deadline:
        time.sleep(0.1)

    assert one.log.read_text().count("HTTP 401") >= 2
    assert "wrong-one" not in one.log.read_text()


def test_the_token_file_is_read_at_each_connect(server: FakeServer, agent: Make, tmp_path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    agent(NIXFLEET_TOKEN="", NIXFLEET_TOKEN_FILE=str(token))
    time.sleep(1)
    token.write_text("sesame\n")

    server.connected()


def test_pings_are_answered_and_strangers_ignored(server: FakeServer, agent: Make) -> None:
    agent()
    server.connected()
    server.send_raw('[{"type":"novelty","payload":{"x":1}},{"type":"ping","payload":{"at":42,"new":true}}]')
    server.send(Ping(at=43))

    server.wait(lambda: [pong.at for pong in server.of(Pong)] == [42, 43], "both pongs")


@pytest.mark.parametrize("bad", ["not json", '{"type":"ping","payload":{"at":"x"}}', b"binary"])
def test_nonsense_costs_the_connection_not_the_agent(
    server: FakeServer, agent: Make, bad: str | bytes
) -> None:
    agent()
    server.connected()
    server.send_raw(bad)

    server.connected(2)
    assert server.closes[0][0] in (1003, 1007, 1008)


def test_status_tells_what_the_agent_does(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": HANG})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)

    done = one.call("status", "--json")

    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert (found["connection"], found["running"]["run_id"], found["hostname"]) == (
        "connected",
        run_id,
        "web1",
    )
    assert "pull-switch" in one.call("status").stdout
    one.kill()
    assert one.call("status").returncode == 1


def test_the_resident_imports_nothing_heavy(server: FakeServer, repo: Repo, agent: Make) -> None:
    one = agent(NIXFLEET_METRICS="auto", PYTHONPROFILEIMPORTTIME="1")
    server.wait(lambda: len(server.of(Heartbeat)) > 1, "a measured heartbeat")
    server.ended(server.command("test"))
    lines = one.log.read_text().splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}

    assert server.of(Heartbeat)[1].metrics.ram > 0
    assert "nixfleet_agent.loop" in imported
    assert imported.isdisjoint(HEAVY)


def test_a_broken_repository_url_leaves_the_host_visible(server: FakeServer, agent: Make, tmp_path) -> None:
    agent(repo_url=str(tmp_path / "nowhere"))
    server.connected()
    server.wait(
        lambda: any("clone failed" in (facts.repo_error or "") for facts in server.facts()), "the reason"
    )

    end = server.ended(server.command("switch"))

    assert end.status == "failed"
    assert "does not exist" in end.message


def test_the_clone_is_made_at_start_and_is_private(server: FakeServer, repo: Repo, agent: Make) -> None:
    one = agent()
    server.connected()
    head = repo.git("rev-parse", "HEAD")

    server.wait(lambda: any(facts.commit == head for facts in server.facts()), "the facts")

    assert (one.state / "repo").stat().st_mode & 0o777 == 0o700


def test_tests_are_counted_named_and_detailed(server: FakeServer, repo: Repo, agent: Make) -> None:
    tests = "hosts/web1/tests/"
    repo.commit(
        {
            tests + "T00-ok.sh": "#!/bin/sh\nexit 0\n",
            tests + "T02-bad.sh": "#!/bin/sh\necho no answer from DNS\nexit 4\n",
            tests + "T01-a.sh": '#!/bin/sh\ntest "$NIXFLEET_HOSTNAME" = web1\n',
            tests + "T10-signal.sh": "#!/bin/sh\nkill -9 $$\n",
            tests + "README.md": "no test\n",
            tests + "run-all-tests.sh": "#!/bin/sh\nexit 1\n",
        }
    )
    repo.commit({tests + "T03-plain.sh": '[ -n "$NIXFLEET_RUN_ID" ]\n'}, executable=False)
    agent()
    server.connected()
    server.ended(server.command("pull"))
    run_id = server.command("test")

    end = server.ended(run_id)

    assert (end.status, end.exit_code) == ("failed", 1)
    assert end.message == "3/5 pass, 2 fail: T02-bad.sh, T10-signal.sh"
    assert end.tests
    assert (end.tests.total, end.tests.passed, end.tests.failed) == (5, 3, 2)
    assert [(f.name, f.exit_code, f.output) for f in end.tests.failures] == [
        ("T02-bad.sh", 4, "no answer from DNS\n"),
        ("T10-signal.sh", 137, ""),
    ]
    shown = [p.progress for p in server.of(Progress) if p.run_id == run_id]
    assert shown[0].total == 5
    assert all(p.current <= p.total for p in shown)


def test_a_host_without_tests_has_none_to_fail(server: FakeServer, repo: Repo, agent: Make) -> None:
    agent(NIXFLEET_HOSTNAME="db1")
    server.connected()

    end = server.ended(server.command("test"))

    assert (end.status, end.exit_code, end.message) == ("ok", 0, "no tests")


def test_a_stopped_test_keeps_its_partial_results(server: FakeServer, repo: Repo, agent: Make) -> None:
    tests = "hosts/web1/tests/"
    repo.commit(
        {
            tests + "T01-ok.sh": "#!/bin/sh\nexit 0\n",
            tests + "T02-hang.sh": "#!/bin/sh\necho begun\nsleep 600\n",
            tests + "T03-never.sh": "#!/bin/sh\ntouch $HOME/never\n",
        }
    )
    one = agent()
    server.connected()
    server.ended(server.command("pull"))
    run_id = server.command("test")
    begun(server, run_id)
    server.command("stop")

    end = server.ended(run_id)

    assert (end.status, end.message) == ("stopped", "stopped by user (2/4)")
    assert end.tests
    assert (end.tests.passed, end.tests.total) == (2, 4)
    assert not (one.state.parent / "never").exists()


def test_progress_without_newlines_is_seen_before_the_end(
    server: FakeServer, repo: Repo, agent: Make
) -> None:
    repo.commit(
        {
            "switch": "#!/bin/sh\nprintf '10%%\\r20%%\\r'\nwhile [ ! -e $HOME/go ]; do sleep 0.1; done\nprintf '30%%\\n'\n"
        }
    )
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    server.wait(lambda: server.raw(run_id, "stdout").endswith(b"10%\r20%\r"), "the unfinished line")
    (one.state.parent / "go").touch()

    server.ended(run_id)

    assert server.raw(run_id, "stdout").endswith(b"10%\r20%\r30%\n")


def test_the_log_limit_leaves_one_marker(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": "#!/bin/sh\nyes 0123456789abcde | head -c 1000000\nexit 5\n"})
    one = agent(NIXFLEET_LOG_MAX="64KiB")
    server.connected()
    run_id = server.command("switch")

    end = server.ended(run_id)

    kept = len(server.raw(run_id, "stdout") + server.raw(run_id, "stderr"))
    notes = server.raw(run_id, "note").decode()
    assert end.exit_code == 5
    assert 65536 - 16 <= kept <= 65536
    assert notes.count("were not kept") == 1
    assert f"[{1_000_000 + len(server.raw(run_id, 'stderr')) - kept} bytes" in notes
    same(server, one, run_id)


def test_a_flood_arrives_whole_without_growing_the_resident(
    server: FakeServer, repo: Repo, agent: Make
) -> None:
    repo.commit({"switch": "#!/bin/sh\necho begun\nseq 1 200000\n"})
    one = agent()
    server.connected()
    run_id = server.command("pull-switch")
    begun(server, run_id)
    assert one.process
    before = psutil.Process(one.process.pid).memory_info().rss

    server.ended(run_id)

    assert server.raw(run_id, "stdout").endswith(b"199999\n200000\n")
    same(server, one, run_id)
    assert psutil.Process(one.process.pid).memory_info().rss - before < 12 * 2**20


def test_unacknowledged_output_waits_on_the_disk(server: FakeServer, repo: Repo, agent: Make) -> None:
    repo.commit({"switch": "#!/bin/sh\nseq 1 5000\n"})
    agent()
    server.connected()
    server.acknowledge = False
    run_id = server.command("pull-switch")
    time.sleep(3)
    assert len(server.log[run_id]) <= 1000
    assert run_id not in server.ends
    server.acknowledge = True
    server.cut()

    assert server.ended(run_id).status == "ok"
    assert server.raw(run_id).endswith(b"5000\n")
    assert server.gaps == []


def test_a_run_id_never_seen_but_claimed_is_not_started(server: FakeServer, repo: Repo, agent: Make) -> None:
    """What a crash between the claim and the start leaves behind."""
    run_id = uuid.uuid4().hex
    one = agent()
    server.connected()
    one.kill()
    one.run_dir(run_id).mkdir()
    one.start()

    end = server.ended(run_id)

    assert end.status == "interrupted"


def test_programs_of_a_run_see_nothing_of_the_agent_s_configuration(
    server: FakeServer, repo: Repo, agent: Make, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    look = f"env | grep ^NIXFLEET_ | grep -v -e ^NIXFLEET_HOSTNAME=web1 -e ^NIXFLEET_RUN_ID= >>{seen}"
    repo.commit(
        {
            "switch": f"#!/bin/sh\n{look}\necho id $NIXFLEET_RUN_ID\n",
            "hosts/web1/tests/T00-look.sh": f"#!/bin/sh\n{look}\nexit 0\n",
        }
    )
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f'#!/bin/sh\n{look}\ntouch {tmp_path}/git-ran\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)
    agent(PATH=f"{git.parent}:{os.environ['PATH']}", NIXFLEET_ALLOW_PLAIN_HTTP="1")
    server.connected()
    runs = [server.command("pull-switch")]
    ends = [server.ended(runs[0]).status]
    runs.append(server.command("test"))
    ends.append(server.ended(runs[1]).status)

    assert ends == ["ok", "ok"]
    assert f"id {runs[0]}\n".encode() in server.raw(runs[0], "stdout")
    assert (tmp_path / "git-ran").exists()
    assert seen.read_text() == ""
