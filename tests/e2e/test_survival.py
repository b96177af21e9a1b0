"""Nothing is lost, nothing twice: a run ends once, with its true exit code and every byte, whatever is killed."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.processes import Agent
from nixfleet_protocol.client import Client
from tests.support.lab import Lab, lab, read_log, until
from tests.support.proxy import Proxy

SLOW = r"""
i=0
while [ $i -lt 60 ]; do
  i=$((i+1)); echo "line $i"; echo "warning $i" >&2; printf 'progress %s\r' $i
  sleep 0.5
done
printf 'no newline at the end'
exit 7
"""
"""A 30-second switch that fails with 7."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as made:
        yield made


def assert_whole(here: Lab, agent: Agent, run_id: str) -> bytes:
    """The server's log is the agent's journal, byte for byte, and numbered without gaps. Returns the raw output."""
    journal = (agent.journal(run_id) / "output").read_bytes()
    assert here.server_log(run_id) == journal
    records = read_log(journal)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    return b"".join(record.raw() for record in records if record.stream == "stdout")


def expected_slow() -> bytes:
    return b"".join(b"line %d\nprogress %d\r" % (i, i) for i in range(1, 61)) + b"no newline at the end"


@pytest.mark.parametrize("victim", ["agent", "server"])
def test_killed_in_the_middle_of_a_switch(here: Lab, victim: str) -> None:
    agent = here.agent("web1", {"switch": SLOW})
    run = here.client.run("web1", "switch")
    until(lambda: here.client.get_run(run.id).view.lines > 10, "output of the switch")
    time.sleep(5)
    process = agent.process if victim == "agent" else here.server.process
    assert process.end(signal.SIGKILL) == -signal.SIGKILL
    time.sleep(2)
    agent.start() if victim == "agent" else here.server.start()

    view = here.ended(run.id)

    assert (view.result, view.exit_code) == ("failed", 7), here.logs()
    assert expected_slow() == assert_whole(here, agent, run.id)
    assert [run.id] == [r.run_id for r in here.client.runs("web1")]  # it ran once


@pytest.mark.long
@pytest.mark.parametrize("way", ["freeze", "sever"])
def test_connection_cut_for_20_seconds(here: Lab, way: str) -> None:
    proxy = Proxy(here.server.port)
    try:
        agent = here.agent("web1", {"switch": SLOW}, url=proxy.url)
        run = here.client.run("web1", "switch")
        until(lambda: here.client.get_run(run.id).view.lines > 10, "output of the switch")
        getattr(proxy, way)(20)

        view = here.ended(run.id)

        assert (view.result, view.exit_code) == ("failed", 7), here.logs()
        assert expected_slow() == assert_whole(here, agent, run.id)
    finally:
        proxy.close()


@pytest.mark.long
def test_killed_at_20_random_moments_under_1000_lines_a_second(here: Lab) -> None:
    lines = 60_000
    program = f"""#!/usr/bin/env python3
import sys, time
began = time.monotonic()
for i in range({lines}):
    sys.stdout.write(f"{{i}} {{'x' * (i % 120)}}\\n")
    if i % 50 == 0:
        sys.stdout.flush()
        time.sleep(max(0, began + i / 1000 - time.monotonic()))
sys.exit(9)
"""
    agent = here.agent("web1", {"switch": program})
    run = here.client.run("web1", "switch")
    until(lambda: here.client.get_run(run.id).view.lines > 100, "output of the switch")
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    followed: list[int] = []

    def follow() -> None:
        with Client(url=here.server.url, token=here.token) as client:
            followed.extend(record.seq for record in client.get_run(run.id).follow())

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()

    for _ in range(20):
        time.sleep(chance.uniform(0.1, 2.0))
        if chance.random() < 0.5:
            agent.process.end(signal.SIGKILL)
            agent.start()
        else:
            here.server.process.end(signal.SIGKILL)
            here.server.start()

    view = here.ended(run.id, timeout=240)
    assert (view.result, view.exit_code) == ("failed", 9), f"seed {seed}\n{here.logs()}"
    raw = assert_whole(here, agent, run.id)
    assert raw == b"".join(b"%d %s\n" % (i, b"x" * (i % 120)) for i in range(lines)), f"seed {seed}"
    follower.join(60)
    assert followed == list(range(1, view.lines + 1)), (
        "a follower through all kills sees each line once, in order"
    )


def test_bytes_of_every_kind_arrive_as_they_were_written(here: Lab) -> None:
    program = r"""#!/usr/bin/env python3
import os, random
out = random.Random(7).randbytes(300_000)          # not UTF-8, NUL, bare CR, all of it
os.write(1, b"caf\xc3\xa9 \xff\xfe\x00 \xf4\x8f\xbe\x80\r\r\n")
os.write(1, b"m" * 1_000_000 + b"\n")              # a line of a megabyte
for i in range(0, len(out), 60_000):
    os.write(1, out[i : i + 60_000])
os.write(1, b"\nno newline")
"""
    agent = here.agent("web1", {"switch": program})
    run = here.client.run("web1", "switch")
    view = here.ended(run.id)

    assert (view.result, view.exit_code) == ("ok", 0), here.logs()
    expected = (
        b"caf\xc3\xa9 \xff\xfe\x00 \xf4\x8f\xbe\x80\r\r\n"
        + b"m" * 1_000_000
        + b"\n"
        + random.Random(7).randbytes(300_000)
        + b"\nno newline"
    )
    assert expected == assert_whole(here, agent, run.id)


@pytest.mark.long
def test_heartbeats_arrive_at_their_interval_throughout_a_long_command(here: Lab) -> None:
    here.agent("web1", {"switch": "sleep 30"}, interval=1.0)
    run = here.client.run("web1", "switch")
    seen: set[int] = set()
    busy = 0
    while not (ended := here.client.get_run(run.id).view.state == "ended"):
        host = here.client.host("web1")
        assert host.presence == "online"
        if host.last_seen_at and host.last_seen_at not in seen:
            seen.add(host.last_seen_at)
            busy += host.pending_command == "switch" and host.command_pid is not None
        time.sleep(0.2)
    assert ended
    assert busy >= 25, f"{busy} heartbeats with the running command in 30 s at an interval of 1 s"


def test_a_killed_runner_is_told_as_interrupted(here: Lab) -> None:
    agent = here.agent("web1", {"switch": "echo began; sleep 300"})
    run = here.client.run("web1", "switch")
    until(lambda: here.client.get_run(run.id).view.lines > 0, "output of the switch")
    host = until(
        lambda: (h := here.client.host("web1")).command_pid and h, "a heartbeat with the runner's pid"
    )
    assert host.command_pid
    os.kill(host.command_pid, signal.SIGKILL)

    assert here.ended(run.id).result == "interrupted"
    assert_whole(here, agent, run.id)
    assert here.client.run("web1", "test").wait(30).result == "ok"  # the host takes commands again
