"""The guard with a real agent, a server that goes or refuses, and places that answer or don't."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nixfleet_agent.config import Config, load
from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk
from nixfleet_agent.journal import Journal, claim
from nixfleet_agent.lock import Lock
from nixfleet_agent.runner import expired, history, pending, probes, resident, settle, stop
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Ended, Failed
from nixfleet_agent.runner.guard import NoGuard, guard_of
from nixfleet_agent.runner.keeper import Keeper, situation
from nixfleet_agent.runner.pending import Pending
from nixfleet_agent.system import boot_id
from nixfleet_protocol.messages import Goodbye, Options
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer

RUN = uuid.uuid4().hex
WINDOW = 2.0
"""Seconds; shorter than anybody may configure it."""
Make = Callable[..., Agent]
MakeKeeper = Callable[..., tuple[Keeper, Context]]


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another place on the network, as HOST:PORT."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def online(one: Agent, server: FakeServer) -> None:
    server.connected()
    config = load(one.env)
    server.wait(lambda: resident.look(config).opened, "the agent's word that it is registered")


@pytest.fixture
def keeper() -> Iterator[Callable[..., tuple[Keeper, Context]]]:
    made: list[Context] = []

    def make(one: Agent, **env: str) -> tuple[Keeper, Context]:
        config = load({**one.env, **env})
        if config.confirm_timeout:
            config = replace(config, confirm_timeout=WINDOW)
        request = Request(RUN, "switch", Options())
        context = Context(config, request, Journal(claim(config.state_dir, request, Disk()), Disk()))
        made.append(context)
        return Keeper(context), context

    yield make
    for context in made:
        context.close()
        context.journal.close()


def notes(one: Agent) -> bytes:
    return one.output(RUN)


def test_a_new_connection_confirms_and_leaves_nothing_behind(
    keeper: MakeKeeper, server: FakeServer, agent: Make
) -> None:
    one = agent()
    online(one, server)
    guard, context = keeper(one)

    guard.prepare("/nix/store/old", "/nix/store/new")
    before = json.loads((one.state / "pending.json").read_text())
    guard.activated()
    verdict = guard.wait(context)
    guard.settle("confirmed")

    assert verdict[:2] == (True, True)
    assert (before["old"], before["new"], before["run_id"]) == ("/nix/store/old", "/nix/store/new", RUN)
    assert before["boot_id"] == boot_id()
    assert len(server.registers) == 2  # the old connection proves nothing: a firewall lets it live
    assert not (one.state / "pending.json").exists()
    keeper_again = Keeper(context)
    keeper_again.prepare("/nix/store/old", "/nix/store/new")  # the lock is free again
    keeper_again.settle("failed")


def test_a_server_that_goes_and_nothing_else_to_ask_is_a_reason_to_go_back(
    keeper: MakeKeeper, server: FakeServer, agent: Make
) -> None:
    one = agent(NIXFLEET_URL=f"http://localhost:{server.port}")
    online(one, server)
    guard, context = keeper(one, NIXFLEET_PROBES=closed_port())
    guard.prepare("/nix/store/old", "/nix/store/new")
    server.stop()

    guard.activated()
    verdict = guard.wait(context)
    guard.settle("rolled_back")
    server.start()

    assert verdict == (False, False, "neither the server nor any other place answers")


def test_a_server_alone_that_goes_is_none(
    keeper: MakeKeeper, server: FakeServer, agent: Make, elsewhere: str
) -> None:
    one = agent()
    online(one, server)
    guard, context = keeper(one, NIXFLEET_PROBES=f"{closed_port()},{elsewhere}")
    guard.prepare("/nix/store/old", "/nix/store/new")
    server.stop()

    guard.activated()
    verdict = guard.wait(context)
    guard.settle("unconfirmed")
    server.start()

    assert verdict == (True, False, "the server alone is unreachable: other places answer")


def test_a_server_that_answers_and_refuses_the_new_agent_is_one(
    keeper: MakeKeeper, server: FakeServer, agent: Make
) -> None:
    one = agent()
    online(one, server)
    guard, context = keeper(one)
    guard.prepare("/nix/store/old", "/nix/store/new")
    server.refuse = 401

    guard.activated()
    verdict = guard.wait(context)
    guard.settle("rolled_back")

    assert verdict == (False, False, "the server answers, but the new agent did not register")


def test_a_server_unreachable_before_the_switch_arms_nothing(
    keeper: MakeKeeper, server: FakeServer, agent: Make
) -> None:
    server.stop()
    one = agent()
    config = load(one.env)
    server.wait((one.state / "status.json").exists, "the agent's start")
    guard, context = keeper(one)

    guard.prepare("/nix/store/old", "/nix/store/new")
    guard.activated()
    verdict = guard.wait(context)
    guard.settle("unconfirmed")
    server.start()

    assert verdict == (True, False, "the server was unreachable before the switch already")
    assert b"unreachable before the switch" in notes(one)
    assert resident.look(config).opened is None


def test_a_failing_health_check_goes_back_though_the_server_is_there(
    keeper: MakeKeeper, server: FakeServer, agent: Make, tmp_path: Path
) -> None:
    one = agent()
    online(one, server)
    flag = tmp_path / "healthy"
    flag.touch()
    guard, context = keeper(one, NIXFLEET_HEALTH_CHECK=f"test -e {flag}")
    guard.prepare("/nix/store/old", "/nix/store/new")
    flag.unlink()

    guard.activated()
    verdict = guard.wait(context)
    guard.settle("rolled_back")

    assert verdict == (False, False, "the health check fails")


def test_a_health_check_that_failed_before_decides_nothing(
    keeper: MakeKeeper, server: FakeServer, agent: Make
) -> None:
    one = agent()
    online(one, server)
    guard, context = keeper(one, NIXFLEET_HEALTH_CHECK="false")

    guard.prepare("/nix/store/old", "/nix/store/new")
    guard.activated()
    verdict = guard.wait(context)
    guard.settle("confirmed")

    assert verdict[:2] == (True, True)
    assert b"it decides nothing" in notes(one)


def test_a_stop_ends_the_wait(keeper: MakeKeeper, server: FakeServer, agent: Make) -> None:
    one = agent()
    online(one, server)
    guard, context = keeper(one)
    guard.prepare("/nix/store/old", "/nix/store/new")
    server.refuse = 503
    guard.activated()
    context.stop_asked = True

    with pytest.raises(Ended):
        guard.wait(context)
    guard.settle("rolled_back")


def test_two_switches_are_never_pending_at_once(keeper: MakeKeeper, server: FakeServer, agent: Make) -> None:
    one = agent()
    online(one, server)
    guard, context = keeper(one)
    guard.prepare("/nix/store/old", "/nix/store/new")

    with pytest.raises(Failed, match="still to be confirmed"):
        Keeper(context).prepare("/nix/store/new", "/nix/store/newer")
    guard.settle("failed")


def test_a_switch_that_a_dead_runner_left_is_decided_before_the_next_begins(
    keeper: MakeKeeper, server: FakeServer, agent: Make
) -> None:
    one = agent()
    online(one, server)
    guard, context = keeper(one)
    left(context.config, run_id="f" * 32, deadline=time.monotonic() + 5)

    with pytest.raises(Failed, match="still to be confirmed"):
        guard.prepare("/nix/store/new", "/nix/store/newer")
    left(context.config, run_id="f" * 32, deadline=time.monotonic() - 1000)
    guard.prepare("/nix/store/new", "/nix/store/newer")
    guard.settle("failed")


def test_a_server_that_said_goodbye_and_is_not_back_is_no_reason(
    keeper: MakeKeeper, server: FakeServer, agent: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "places", lambda config: ())
    one = agent()
    online(one, server)
    guard, context = keeper(one)
    guard.prepare("/nix/store/old", "/nix/store/new")
    server.send(Goodbye(reason="shutdown", retry_min=3.0, retry_max=3.0))
    server.wait(lambda: resident.look(context.config).goodbye, "the agent's word of it")
    server.stop()

    guard.activated()
    one.kill()  # the next process knows nothing of it
    one.start()
    verdict = guard.wait(context)
    guard.settle("unconfirmed")
    server.start()

    assert verdict == (True, False, "the server said goodbye and is not back")
    assert b"its return is waited for" in notes(one)


def test_a_timeout_of_0_watches_nothing(keeper: MakeKeeper, agent: Make, server: FakeServer) -> None:
    one = agent()
    online(one, server)
    _, context = keeper(one, NIXFLEET_CONFIRM_TIMEOUT="0")

    assert isinstance(guard_of(context), NoGuard)


# When the runner has died


def left(config: Config, **changed: object) -> Pending:
    """What a dead runner's switch has left."""
    made = Pending(
        RUN, "/nix/store/old", "/nix/store/new", boot_id(), True, time.monotonic() - 1, time.monotonic()
    )
    made = made._replace(**changed)
    pending.store(config, made, Disk())
    return made


@pytest.fixture
def dead(tmp_path: Path) -> Config:
    """A host whose runner died with the run in its journal."""
    config = load(
        {"NIXFLEET_STATE_DIR": str(tmp_path / "state"), "NIXFLEET_HOSTNAME": "web1"}, connects=False
    )
    (tmp_path / "state" / "runs").mkdir(parents=True)
    Journal(claim(config.state_dir, Request(RUN, "switch", Options()), Disk()), Disk()).close()
    return config


def result(config: Config) -> dict[str, object]:
    found: dict[str, object] = json.loads((Path(config.state_dir) / "runs" / RUN / "result.json").read_text())
    return found


def test_a_switch_still_in_its_window_is_not_settled(dead: Config) -> None:
    left(dead, deadline=time.monotonic() + 100)

    assert settle.main(dead, RUN, 0) == 1
    assert pending.load(dead)
    assert not (Path(dead.state_dir) / "runs" / RUN / "result.json").exists()


def test_a_switch_whose_runner_lives_is_not_decided_by_another(dead: Config) -> None:
    left(dead)
    held = pending.lock(dead)

    assert expired.outcome(dead, RUN) is expired.WAIT
    assert pending.load(dead)
    held.release()


def test_the_timer_waits_while_the_runner_lives(dead: Config) -> None:
    left(dead)
    held = pending.lock(dead)

    def decided(seconds: float) -> None:
        pending.clear(dead, Disk())  # by the runner
        held.release()

    assert expired.main(dead, RUN, decided) == 0
    assert not (Path(dead.state_dir) / "runs" / RUN / "result.json").exists()


def test_a_reboot_inside_the_window_is_told_as_a_rollback(
    dead: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(dead, boot_id="another", deadline=time.monotonic() + 1e6)
    monkeypatch.setattr(expired, "_running", lambda config: "/nix/store/old")

    assert settle.main(dead, RUN, 0) == 0

    assert result(dead)["status"] == "rolled_back"
    assert "restarted" in str(result(dead)["message"])
    assert pending.load(dead) is None


def test_a_reboot_into_the_new_system_is_told_as_an_interruption(
    dead: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(dead, boot_id="another")
    monkeypatch.setattr(expired, "_running", lambda config: "/nix/store/new")

    assert settle.main(dead, RUN, 0) == 0
    assert result(dead)["status"] == "interrupted"


@pytest.mark.parametrize(
    ("why", "status", "said"),
    [
        ("", "rolled_back", "rolled back: the runner died; "),
        ("no space", "failed", "the rollback failed too: no space"),
    ],
)
def test_a_dead_runner_s_switch_is_rolled_back_by_the_timer_and_a_failure_said(
    why: str, status: str, said: str, dead: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: list[str] = []
    left(dead)
    monkeypatch.setattr(expired, "roll_back", lambda config, system: returned.append(system) or why)

    assert expired.main(dead, RUN) == 0

    assert returned == ["/nix/store/old"]
    assert result(dead)["status"] == status
    assert said in str(result(dead)["message"])
    assert pending.load(dead) is None


def test_half_an_activation_is_taken_back_at_once(dead: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    returned: list[str] = []
    left(dead, activated=None, deadline=time.monotonic() + 1e6)
    monkeypatch.setattr(expired, "roll_back", lambda config, system: returned.append(system) or "")

    assert settle.main(dead, RUN, 0) == 0

    assert returned == ["/nix/store/old"]
    assert result(dead)["status"] == "rolled_back"
    assert history.refused(dead, "/nix/store/new") == "the runner died during the activation"


@pytest.mark.parametrize(
    ("script", "status"), [("echo $NIXFLEET_HOSTNAME >back", "rolled_back"), ("exit 3", "failed")]
)
def test_a_host_of_scripts_goes_back_by_its_own(
    script: str, status: str, dead: Config, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    program = repository / "rollback"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    config = replace(dead, repo_dir=str(repository), platform="script")
    left(config, old="1", new="2")

    assert expired.main(config, RUN) == 0

    assert result(config)["status"] == status
    assert (repository / "back").exists() == (status == "rolled_back")


def test_a_dead_runner_s_first_generation_stays(dead: Config) -> None:
    left(dead, old="")

    assert expired.main(dead, RUN) == 0
    assert result(dead)["status"] == "interrupted"


def test_a_timer_for_a_switch_that_is_decided_does_nothing(dead: Config) -> None:
    assert expired.main(dead, RUN) == 0
    assert not (Path(dead.state_dir) / "runs" / RUN / "result.json").exists()


def test_what_the_runner_decided_meanwhile_is_not_decided_again(
    dead: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(dead)
    lock = pending.lock

    def settled(config: Config) -> Lock:
        pending.clear(config, Disk())  # by its runner, between a look and the lock
        return lock(config)

    monkeypatch.setattr(pending, "lock", settled)
    monkeypatch.setattr(expired, "roll_back", lambda config, system: pytest.fail("a confirmed system went"))

    assert expired.outcome(dead, RUN) == ("interrupted", "")


def test_what_was_decided_is_the_run_s_result_also_when_who_decided_dies(
    dead: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: list[str] = []
    left(dead)
    monkeypatch.setattr(expired, "roll_back", lambda config, system: returned.append(system) or "")
    monkeypatch.setattr(settle, "main", lambda *given, **how: 1)  # killed before it stored the result
    assert expired.main(dead, RUN) == 1
    monkeypatch.undo()

    assert settle.main(dead, RUN, 0) == 0

    assert returned == ["/nix/store/old"]
    assert result(dead)["status"] == "rolled_back"
    assert pending.load(dead) is None


def test_a_switch_written_down_by_another_version_is_known(dead: Config) -> None:
    made = left(dead)
    path = Path(dead.state_dir) / "pending.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"more": 1}))

    assert pending.load(dead) == made


def test_a_disk_that_refuses_leaves_no_roots_behind(
    keeper: MakeKeeper, server: FakeServer, agent: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(Disk):
        def create(self, path: str, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(pending, "GCROOTS", str(tmp_path))
    one = agent()
    online(one, server)
    _, context = keeper(one)

    with pytest.raises(Failed, match="No space left"):
        Keeper(context, Full()).prepare("/nix/store/old", "/nix/store/new")

    assert not list(tmp_path.glob("nixfleet-*"))


def test_a_dead_runner_s_switch_that_cut_the_host_off_goes_back_without_a_timer(
    server: FakeServer, repo: Repo, agent: Make
) -> None:
    """The server, which would say what it has of the run, is just what can't be reached."""
    one = agent()
    server.connected()
    assert server.ended(server.command("pull-switch")).status == "ok"
    repo.commit({"switch": "#!/bin/sh\necho cut\nsleep 600\n", "rollback": "#!/bin/sh\ntouch ../back\n"})
    run_id = server.command("pull-switch")
    server.wait(lambda: b"cut" in server.raw(run_id), "the switch")
    server.stop()

    os.kill(server.begun[run_id].pid or 0, signal.SIGKILL)
    server.wait((one.state / "back").exists, "the way back", 60)
    server.start()

    assert server.ended(run_id).status == "rolled_back"
    assert not (one.state / "pending.json").exists()


# Looking around


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:99999/", "http://127.0.0.1:9/ü", f"{'a' * 64}.example.org:443", "a..b:443"]
)
def test_a_place_that_is_none_is_silent_and_a_decision_is_come_to(place: str, dead: Config) -> None:
    config = replace(dead, probes=(place,), health_check="http://[/")

    found = situation(config, left(config), restarted=False)

    assert (found.probes, found.healthy) == ("silent", False)
    assert not probes.is_local("a" * 64)


def test_a_resident_that_lies_beyond_all_numbers_keeps_nobody_from_deciding(dead: Config) -> None:
    (Path(dead.resident_dir) / "status.json").write_text(f'{{"opened": 1{"0" * 400}, "started": NaN}}')
    lock = Lock(str(Path(dead.resident_dir) / "agent.lock"))

    assert resident.look(dead).opened is None
    lock.release()


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"opened": "soon"}', '{"pid": -1}', "\x00"])
def test_a_status_that_is_none_says_nothing(text: str, dead: Config) -> None:
    (Path(dead.resident_dir) / "status.json").write_text(text)

    assert resident.look(dead) == resident.Seen()


def test_a_status_that_is_a_pipe_or_a_link_is_not_waited_for(dead: Config, tmp_path: Path) -> None:
    path = Path(dead.resident_dir) / "status.json"
    os.mkfifo(path)
    assert resident.look(dead) == resident.Seen()
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert resident.look(dead) == resident.Seen()


def test_a_lock_that_the_resident_replaced_is_not_waited_for(dead: Config) -> None:
    path = Path(dead.resident_dir)
    (path / "status.json").write_text('{"opened": 1.0}')
    os.mkfifo(path / "agent.lock")

    assert resident.look(dead) == resident.Seen()


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({"NIXFLEET_PROBES": "a:1, https://b/"}, ("a:1", "https://b/")),
        ({"NIXFLEET_REPO_URL": "git@git.example.org:fleet/config.git"}, ("git.example.org:22",)),
        ({"NIXFLEET_REPO_URL": "ssh://git@git.example.org:2222/x"}, ("git.example.org:2222",)),
        ({"NIXFLEET_REPO_URL": "https://git.example.org/x.git"}, ("git.example.org:443",)),
        ({"NIXFLEET_REPO_URL": "https://fleet.example.org/x.git"}, ()),
        ({"NIXFLEET_REPO_URL": "/srv/git/x.git"}, ()),
        ({}, ()),
    ],
)
def test_the_repository_s_host_is_asked_where_no_probes_are_named(
    env: dict[str, str], found: tuple[str, ...]
) -> None:
    given = {"NIXFLEET_URL": "https://fleet.example.org", "NIXFLEET_HOSTNAME": "web1", **env}

    assert probes.places(load(given, connects=False)) == found


def test_this_host_s_own_addresses_are_known() -> None:
    assert probes.is_local("127.0.0.1")
    assert probes.is_local("localhost")
    assert not probes.is_local("192.0.2.1")


def test_a_stop_never_reaches_another_process_with_a_dead_runner_s_number(dead: Config) -> None:
    """As while somebody settles the run, and so holds its lock, and the system has given the number away again."""
    stranger = subprocess.Popen(["sleep", "600"])
    path = Path(dead.state_dir) / "runs" / RUN
    (path / "runner.json").write_text(json.dumps({"pid": stranger.pid, "boot_id": boot_id(), "unit": None}))
    settling = Lock(str(path / "lock"))
    try:
        said = [stop.main(dead, RUN, force=force) for force in (False, True)]
        alive = stranger.poll() is None
    finally:
        settling.release()
        stranger.kill()
        stranger.wait()

    assert [one.get("refused") for one in said] == ["gone", "gone"]
    assert alive
