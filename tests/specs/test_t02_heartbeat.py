"""Spec T02, heartbeats: their pace, also during a command; metrics; offline and back; a command over a reconnect.

At half the spec's interval of a second, and half its times.
"""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.processes import Agent
from nixfleet_protocol.client import Refused
from nixfleet_protocol.messages.browser import HostView
from tests.support.lab import Lab, read_log, until
from tests.support.proxy import Proxy

Proxied = Callable[..., tuple[Agent, Proxy]]


@pytest.fixture(scope="module")
def web(fleet: Lab) -> Agent:
    """A host that beats twice a second, with a command of 3 seconds."""
    return fleet.agent("t02-web", {"switch": "for i in 1 2 3; do echo $i; sleep 1; done"}, interval=0.5)


def heartbeats(fleet: Lab, name: str, seconds: float) -> list[HostView]:
    """The host after each message from it that is seen within so many seconds."""
    seen: dict[int, HostView] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        host = fleet.client.host(name)
        seen.setdefault(host.last_seen_at or 0, host)
        time.sleep(0.1)
    return list(seen.values())


def test_five_come_in_five_intervals(fleet: Lab, web: Agent) -> None:
    assert len(heartbeats(fleet, web.name, 2.8)) >= 5


def test_during_a_command_they_go_on_and_name_it_with_its_process(fleet: Lab, web: Agent) -> None:
    run = fleet.client.run(web.name, "switch")

    beats = heartbeats(fleet, web.name, 2.7)

    busy = [beat for beat in beats if beat.pending_command == "switch" and beat.command_pid]
    assert len(busy) >= 4, beats
    assert {beat.run_id for beat in busy} == {run.id}
    with pytest.raises(Refused, match="switch"):  # a second one is refused, and the one that runs is named
        fleet.client.run(web.name, "switch")
    assert run.wait(60).result == "ok"
    until(lambda: fleet.client.host(web.name).pending_command is None, "a heartbeat without a command")


@pytest.mark.parametrize(
    ("age", "fresh"), [(0, True), (31, False), (-60, False)], ids=["now", "31 s old", "from the future"]
)
def test_stasysmo_s_figures_are_shown_while_they_are_fresh(tmp_path: Path, age: int, fresh: bool) -> None:
    """Its directory can't be chosen from outside, so this looks through the agent's own reader."""
    from nixfleet_agent.metrics import Meter

    files = {
        "cpu": "15.5",
        "ram": "42",
        "swap": "3",
        "load": "0,75",
        "timestamp": str(int(time.time()) - age),
    }
    for name, value in files.items():
        (tmp_path / name).write_text(value + "\n")

    found = Meter("stasysmo", (str(tmp_path / "none"), str(tmp_path))).sample()

    assert (found is not None) == fresh
    if found:
        assert (found.cpu, found.ram, found.swap, found.load) == (15.5, 42, 3, 0.75)


def test_without_stasysmo_there_are_no_figures_or_measured_ones(fleet: Lab, web: Agent) -> None:
    fleet.agent("t02-nometrics", {"switch": "true"}, interval=0.5, NIXFLEET_METRICS="stasysmo")

    until(lambda: fleet.client.host(web.name).metrics, "figures of `auto`")
    assert len(heartbeats(fleet, "t02-nometrics", 1.5)) >= 2
    if not any(Path(place).exists() for place in ("/run/stasysmo", "/dev/shm/stasysmo")):
        assert fleet.client.host("t02-nometrics").metrics is None  # the page shows a dash


def test_a_silent_host_is_offline_after_three_intervals_and_back_when_it_speaks(fleet: Lab) -> None:
    agent = fleet.agent("t02-silent", {"switch": "true"}, interval=0.5)
    assert agent.process.popen
    agent.process.popen.send_signal(signal.SIGSTOP)
    silent_since = time.monotonic()
    try:
        until(lambda: fleet.client.host(agent.name).presence == "offline", "offline", timeout=30)
        assert time.monotonic() - silent_since >= 1  # never before: it beat up to half a second ago
    finally:
        agent.process.popen.send_signal(signal.SIGCONT)

    fleet.online(agent.name)


def test_a_command_goes_on_over_a_reconnect_and_nothing_is_done_twice(fleet: Lab, proxied: Proxied) -> None:
    script = """
echo x >> ../count
for i in 1 2 3 4 5 6; do
  echo line $i
  while [ $i = 3 ] && ! [ -e ../go ]; do sleep 0.1; done
done"""
    agent, proxy = proxied("t02-reconnect", {"switch": script})
    run = fleet.client.run(agent.name, "switch")
    until(lambda: fleet.client.get_run(run.id).view.lines > 2, "output")
    before = until(lambda: fleet.client.host(agent.name).command_pid, "its process in a heartbeat")

    proxy.sever(1.0)

    fleet.online(agent.name)
    assert until(lambda: fleet.client.host(agent.name).command_pid, "the command in a heartbeat") == before
    (agent.state / "go").touch()
    view = fleet.ended(run.id)
    assert (view.result, view.exit_code) == ("ok", 0)
    raw = b"".join(r.raw() for r in read_log(fleet.server_log(run.id)) if r.stream == "stdout")
    assert raw == b"".join(b"line %d\n" % i for i in range(1, 7))
    assert (agent.state / "count").read_text() == "x\n"
