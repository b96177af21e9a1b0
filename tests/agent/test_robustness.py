"""What a host does to an agent: clocks that jump, sleep, a full disk, a peer that comes and goes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nixfleet_agent.doorbell import ring_once
from nixfleet_agent.launch import RUNNER_LOG_MAX
from nixfleet_agent.tail import records
from nixfleet_protocol.messages import Heartbeat
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer
from tests.support.small_disk import fill, mounted

Make = Callable[..., Agent]
HELD = "#!/bin/sh\necho began\nwhile ! [ -e ../go ]; do sleep 0.1; done\necho ended\nexit 3\n"
YEAR = 365 * 86400
CLOCK = Path(__file__).with_name("clock.c")


@pytest.mark.needs("cc")
def test_the_clock_may_jump_by_years_in_the_middle_of_a_run(
    server: FakeServer, repo: Repo, agent: Make, tmp_path: Path
) -> None:
    """A board without a battery boots in 1970 and learns the time from the network; nobody waits ten years."""
    clock, preloaded = tmp_path / "clock", tmp_path / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", preloaded, CLOCK, "-ldl"], check=True)
    repo.commit({"switch": HELD})
    made = agent(LD_PRELOAD=str(preloaded), CLOCK_OFFSET=str(clock), NIXFLEET_INTERVAL="0.3")
    server.connected()
    run_id = server.command("switch")
    server.wait(lambda: b"began" in server.raw(run_id), "the switch's first line")

    for years in (10, -10):
        clock.write_text(str(years * YEAR))
        shifted = server.wait(
            lambda y=years: [
                beat for beat in server.of(Heartbeat) if abs(beat.at / 1000 - time.time() - y * YEAR) < 60
            ],
            "heartbeats by the new clock",
        )
        count = len(server.of(Heartbeat))
        server.wait(lambda c=count: len(server.of(Heartbeat)) > c + 3, "heartbeats at their pace", 20)
        assert shifted[-1].pending_command == "switch"

    (made.state / "go").touch()
    assert server.ended(run_id).exit_code == 3
    assert server.raw(run_id, "stdout") == b"began\nended\n"
    assert len(server.registers) == 1  # the connection held all the time


def test_a_host_that_slept_through_a_cut_goes_on(server: FakeServer, repo: Repo, agent: Make) -> None:
    """Suspend and resume: every process of the host stopped, the connection dropped meanwhile."""
    repo.commit({"switch": HELD})
    made = agent(NIXFLEET_INTERVAL="0.3")
    server.connected()
    run_id = server.command("switch")
    server.wait(lambda: b"began" in server.raw(run_id), "the switch's first line")
    asleep = made.processes()
    assert len(asleep) >= 3  # resident, runner, script
    for process in asleep:
        process.send_signal(signal.SIGSTOP)
    server.cut()
    server.stop()
    time.sleep(1)
    server.start()
    (made.state / "go").touch()

    for process in asleep:
        process.send_signal(signal.SIGCONT)

    server.connected(2)
    assert server.ended(run_id).exit_code == 3
    assert server.raw(run_id, "stdout") == b"began\nended\n"
    assert server.gaps == []


def test_time_spent_asleep_ends_the_connection_at_once(
    server: FakeServer, agent: Make, tmp_path: Path
) -> None:
    """The kernel's two clocks tell: nobody waits 45 s for a connection that died in the night."""
    slept = tmp_path / "slept"
    slept.write_text("0")
    made = agent()
    made.kill()
    code = (
        "import nixfleet_agent.loop as loop, sys\n"
        f"loop._suspended = lambda: float(open({str(slept)!r}).read() or 0)\n"
        "from nixfleet_agent.cli import main\n"
        "sys.exit(main(['run']))\n"
    )
    with made.log.open("ab") as log:
        made.process = subprocess.Popen(
            [sys.executable, "-P", "-c", code], env=made.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    before = len(server.registers)
    server.connected(before + 1)

    slept.write_text("28800")

    server.connected(before + 2)
    assert "the host was asleep" in made.log.read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "small", 4) as place:
        yield place


@pytest.mark.long
def test_a_disk_that_fills_up_in_a_run_keeps_the_result_and_says_so(
    server: FakeServer, repo: Repo, agent: Make, small_disk: Path
) -> None:
    flood = "#!/bin/sh\necho began\ni=0\nwhile [ $i -lt 200 ]; do head -c 60000 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done 2>/dev/null\nexit 3\n"
    repo.commit({"switch": flood})
    made = agent(state="small/state")
    server.connected()

    run_id = server.command("switch")
    status = server.ended(run_id)

    assert (status.status, status.exit_code) == ("failed", 3), made.log.read_text()
    kept = list(records(str(made.run_dir(run_id))))
    assert [record.seq for record, _ in kept] == list(range(1, len(kept) + 1))
    assert made.output(run_id) == server.file(run_id)
    assert made.process
    assert made.process.poll() is None
    said = b"".join(record.data for record, _ in kept if record.stream == "note")
    assert b"the disk refused output: No space left on device" in said


def test_on_a_full_disk_nothing_is_begun_and_the_host_says_why(
    server: FakeServer, repo: Repo, agent: Make, small_disk: Path
) -> None:
    made = agent(state="small/state")
    server.connected()
    server.wait(lambda: any(facts.commit for facts in server.facts()), "the clone")
    filler = fill(small_disk)

    status = server.ended(run_id := server.command("switch"))

    assert status.status == "failed"
    assert "No space left on device" in status.message
    assert not (made.run_dir(run_id) / "request.json").exists()
    filler.unlink()
    assert server.ended(server.command("switch")).status == "ok"


@pytest.mark.long
def test_a_connection_that_flaps_is_tried_ever_more_slowly(server: FakeServer, agent: Make) -> None:
    """Each one holds long enough to register: that alone is no reason to begin the waiting anew."""
    agent()
    end, cuts = time.monotonic() + 10, 0
    while time.monotonic() < end:
        if len(server.registers) > cuts:
            cuts = len(server.registers)
            server.cut()
        time.sleep(0.02)

    assert 2 <= cuts <= 11, cuts  # up to 1, 2, 4, 8 s between: without growth it would be some twenty
    server.connected(cuts + 1)  # and it comes back by itself


def test_the_runners_own_log_starts_anew_when_it_is_big(server: FakeServer, repo: Repo, agent: Make) -> None:
    made = agent()
    server.connected()
    server.wait(lambda: any(facts.commit for facts in server.facts()), "the clone")
    log = made.state / "runner.log"
    log.write_bytes(b"x" * (RUNNER_LOG_MAX + 1))

    assert server.ended(server.command("test")).status == "ok"

    assert log.stat().st_size < RUNNER_LOG_MAX


def test_a_resident_that_waits_can_be_hurried(server: FakeServer, agent: Make) -> None:
    """In the window of a switch nobody waits out a backoff that an absent server has made long."""
    made = agent()
    server.connected()
    server.stop()

    def waiting() -> float | None:
        lines = [json.loads(line) for line in made.log.read_text().splitlines() if "retry_in" in line]
        return lines[-1]["retry_in"] if lines and lines[-1]["retry_in"] > 3 else None

    left = server.wait(waiting, "a long wait")
    said_at = time.monotonic()
    server.start()

    ring_once(str(made.state), "connect")

    server.connected(2)
    assert time.monotonic() - said_at < left - 0.5
