"""A network that swallows packets: the agent in a network namespace, its cable pulled, or losing a third of all."""

import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from demo.processes import Agent
from tests.support.lab import Lab, lab, read_log, until
from tests.support.proxy import Proxy

pytestmark = [
    pytest.mark.long,
    pytest.mark.needs("ip", "nft"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces"),
]
TALK = "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; sleep 0.3; done; exit 4"


_numbers = itertools.count()


class Cable:
    """A network namespace that reaches this machine over one cable. `inside` is how a program is started there."""

    def __init__(self) -> None:
        # A name and a network of its own each time: the kernel takes the last one down when it likes.
        number = next(_numbers)
        self.name = f"nf{os.getpid()}n{number}"
        network = f"10.{200 + number}.{os.getpid() % 250}"
        self.host = f"{network}.1"
        self._ends = (f"{self.name}a", f"{self.name}b")
        ours, theirs = self._ends
        self._ip("netns", "add", self.name)
        self._ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.name)
        self._ip("addr", "add", f"{self.host}/24", "dev", ours)
        self._ip("link", "set", ours, "up")
        self._ip("-n", self.name, "addr", "add", f"{network}.2/24", "dev", theirs)
        self._ip("-n", self.name, "link", "set", theirs, "up")
        self._ip("-n", self.name, "link", "set", "lo", "up")

    @property
    def inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def lose(self, percent: int) -> None:
        """Drop so many of the packets that come in, at random; nobody is told. 0: none any more."""
        self._nft("delete", "table", "ip", "loss", check=False)
        if percent:
            self._nft("add", "table", "ip", "loss")
            chain = "{ type filter hook input priority 0; }"
            self._nft("add", "chain", "ip", "loss", "input", chain)
            chance = f"numgen random mod 100 < {percent}" if percent < 100 else ""
            self._nft("add", "rule", "ip", "loss", "input", *chance.split(), "drop")

    def close(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self._ip("netns", "del", self.name)

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def _nft(self, *words: str, check: bool = True) -> None:
        subprocess.run([*self.inside, "nft", *words], check=check, capture_output=True)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture
def cable() -> Iterator[Cable]:
    made = Cable()
    yield made
    made.close()


def start(here: Lab, cable: Cable, name: str) -> tuple[Agent, Proxy]:
    """An agent behind the cable."""
    proxy = Proxy(here.server.port, host=cable.host)
    source = here.repository(name, {"switch": TALK})
    extra = {"NIXFLEET_INTERVAL": "1", "NIXFLEET_ALLOW_PLAIN_HTTP": "1"}
    agent = Agent(here.directory / name, name, proxy.url, here.server.add_host(name), str(source), extra)
    agent.process.argv[:0] = cable.inside
    here.agents.append(agent)
    agent.start()
    here.online(name)
    return agent, proxy


def assert_whole(here: Lab, run_id: str, agent: Agent) -> None:
    view = here.ended(run_id, timeout=240)
    assert (view.result, view.exit_code) == ("failed", 4), here.logs()
    log = here.server_log(run_id)
    assert log == (agent.journal(run_id) / "output").read_bytes()
    raw = b"".join(record.raw() for record in read_log(log) if record.stream == "stdout")
    assert raw == b"".join(b"line %d\n" % i for i in range(1, 61))


def test_a_silent_cut_is_noticed_by_what_is_not_acknowledged(here: Lab, cable: Cable) -> None:
    """No reset, no refusal, nothing: unsent output tells in 16 s what keepalive takes minutes for."""
    agent, proxy = start(here, cable, "cut")
    run = here.client.run("cut", "switch")
    until(lambda: here.client.get_run(run.id).view.lines > 10, "output")
    began = time.monotonic()
    cable.lose(100)

    until(lambda: "not connected" in agent.process.log.read_text(), "the agent noticed", timeout=60)
    noticed = time.monotonic() - began
    time.sleep(2)
    cable.lose(0)

    assert noticed < 40, f"{noticed:.0f} s"
    assert_whole(here, run.id, agent)
    agent.process.end()
    proxy.close()


def test_a_third_of_all_packets_lost_costs_time_and_no_line(here: Lab, cable: Cable) -> None:
    agent, proxy = start(here, cable, "lossy")
    cable.lose(33)
    run = here.client.run("lossy", "switch")

    assert_whole(here, run.id, agent)
    agent.process.end()
    proxy.close()
