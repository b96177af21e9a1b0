"""A fleet in every state there is, of simulated agents: for pictures, and for tests that look at every view."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from nixfleet_protocol.messages import CommandMessage, Facts, Metrics, ProgressState
from nixfleet_protocol.messages import TestFailure as Failure
from nixfleet_protocol.messages import TestReport as Report
from nixfleet_protocol.messages.facts import Generation
from nixfleet_protocol.messages.parts import BuildFailure, NixProgress, Outcome, Step
from nixfleet_protocol.states import COMMANDS
from tests.browser.past import remember
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, until

DAY = 86_400_000
COMMIT = "1f3c0b8a9d7e4f50b1c2d3e4f5061728394a5b6c"
WANTED = "9ab4e27c51d0e3f8a6b7c8d9e0f1a2b3c4d5e6f7"
ALL = tuple(COMMANDS)
LOG = (
    "\x1b[1mthese 3 derivations will be built:\x1b[0m",
    "  /nix/store/3093691079-etc-hosts.drv",
    "  /nix/store/1642187113-caddy-2.10.drv",
    "building '/nix/store/1642187113-caddy-2.10.drv'...",
    "\x1b[32mactivating the configuration...\x1b[0m",
)
BROKEN = (
    "\x1b[34mcaddy-2.10>\x1b[0m modules/caddyhttp/server.go:212:9: undefined: quic.Listen",
    "\x1b[31;1merror:\x1b[0m builder for '\x1b[35;1m/nix/store/1642187113-caddy-2.10.drv\x1b[0m' failed with exit code 2;",
    "       last 2 log lines:",
    "       > modules/caddyhttp/server.go:212:9: undefined: quic.Listen",
)
REMEMBERS = "db-main"
"""The host with a past."""
LEFT = Outcome(
    steps=(
        Step(name="pull", outcome="ok", seconds=1.8),
        Step(name="build", outcome="failed", message="1 of 3 did not build", seconds=74.2),
        Step(name="activate", outcome="skipped", message="nothing was built"),
    ),
    failures=(
        BuildFailure(
            name="caddy-2.10",
            derivation="/nix/store/1642187113-caddy-2.10.drv",
            reason="builder failed with exit code 2",
            log="modules/caddyhttp/server.go:212:9: undefined: quic.Listen\nmake: *** [Makefile:31: build] Error 2\n",
        ),
    ),
)


@dataclass(frozen=True)
class Portrait:
    """One host of the gallery."""

    name: str
    criticality: str = "medium"
    facts: Facts | None = None
    metrics: Metrics | None = None
    platform: str = "nixos"
    state: str = "online"
    """`online`, `stale`, `offline`, `unreachable`, `running`, or `new`."""
    run: tuple[str, str] | None = None
    """Its last run: command and result."""


def hashed(number: int) -> str:
    """A store path's hash of its own for each number."""
    return sha256(str(number).encode()).hexdigest()[:32]


def nixos(generation: int, **more: Any) -> Facts:
    """Facts of a NixOS host that is where it should be, but for `more`."""
    now = int(time.time() * 1000)
    generations = tuple(
        Generation(
            number=number,
            store_path=f"/nix/store/{hashed(number)}-nixos-system-25.11.20261120",
            created_at=now - (generation - number) * 3 * DAY - DAY // 3,
            version="25.11.20261120",
            selected=number == generation,
            current=number == generation,
        )
        for number in range(generation - 4, generation + 1)
    )
    known: dict[str, Any] = {
        "os": "NixOS",
        "os_version": "25.11",
        "nixpkgs_version": "25.11.20261120.9ab4e27",
        "generation": str(generation),
        "store_path": generations[-1].store_path,
        "profile_path": generations[-1].store_path,
        "booted_path": generations[-2].store_path,
        "commit": COMMIT,
        "branch": "main",
        "wanted_commit": COMMIT,
        "wanted_at": now - 120_000,
        "behind": 0,
        "dirty": False,
        "kernel_running": "6.12.58",
        "kernel_next": "6.12.58",
        "system": "normal",
        "reboot": "no",
        "generations": generations,
        "store_free": 61 * 2**30,
        "store_total": 100 * 2**30,
    }
    return Facts(**known | more)


def macos(generation: int, **more: Any) -> Facts:
    """Facts of a Mac."""
    return Facts(
        os="macOS", os_version="26.1", generation=str(generation), commit=COMMIT, branch="main", **more
    )


GALLERY = (
    Portrait(
        "gate",
        "high",
        nixos(212),
        Metrics(cpu=12.0, ram=41.0, swap=0.0, load=0.6, cores=8),
        run=("switch", "ok"),
    ),
    Portrait(
        "db-main",
        "high",
        nixos(187, reboot="required", reboot_reasons=("kernel", "initrd"), kernel_next="6.12.60"),
        Metrics(cpu=71.0, ram=93.0, swap=34.0, load=6.2, cores=8),
        run=("pull-switch", "ok"),
    ),
    Portrait(
        "mail",
        "high",
        nixos(94, behind=3, wanted_commit=WANTED),
        Metrics(cpu=8.0, ram=58.0, swap=2.0, load=0.2, cores=4),
        run=("switch", "failed"),
    ),
    Portrait(
        "builder-1",
        facts=nixos(340, dirty=True, behind=1, wanted_commit=WANTED),
        metrics=Metrics(cpu=97.0, ram=77.0, swap=12.0, load=30.4, cores=32),
        state="running",
    ),
    Portrait(
        "cache",
        facts=nixos(58),
        metrics=Metrics(cpu=22.0, ram=36.0, swap=0.0, load=1.1, cores=8),
        state="stale",
    ),
    Portrait(
        "edge-fra",
        facts=nixos(61),
        metrics=Metrics(cpu=4.0, ram=20.0, load=0.1, cores=2),
        state="unreachable",
    ),
    Portrait(
        "laptop-ada",
        facts=macos(44),
        metrics=Metrics(cpu=31.0, ram=64.0, load=2.4, cores=10),
        platform="nix-darwin",
    ),
    Portrait(
        "media",
        "low",
        nixos(19, failed_units=("jellyfin.service",)),
        Metrics(cpu=3.0, ram=30.0, load=0.1, cores=4),
    ),
    Portrait("old-nas", "low", nixos(7), Metrics(cpu=2.0, ram=12.0, load=0.0, cores=2), state="offline"),
    Portrait("spare", "low", state="new"),
)


def play(agent: SimulatedAgent, command: CommandMessage) -> None:
    """What a host of the gallery does when asked: `results` says how it ends; "" leaves it at work."""
    result = RESULTS.get((agent.name, command.command), "ok")
    agent.begin(command)
    agent.say(command, "pull: main from git@git.example.org:ops/machines.git", stream="note")
    agent.say(command, "   1f3c0b8..9ab4e27  main -> origin/main")
    agent.say(command, f"build: {agent.name} at 1f3c0b8a9d7e", stream="note")
    for line in LOG:
        agent.say(command, line)
    if not result:
        for number in range(1, 41):
            agent.say(command, f"\x1b[34mcaddy-2.10>\x1b[0m compiling modules/caddyhttp/part{number}.go")
        nix = NixProgress(
            planning=False,
            built=12,
            to_build=40,
            building=2,
            copied=3,
            to_copy=9,
            current="caddy-2.10",
            build_phase="buildPhase",
        )
        agent.progress(command, ProgressState(phase="build", nix=nix))
        return
    if result == "failed" and command.command == "test":
        failure = Failure(name="T03-dns.sh", exit_code=1, output="no answer from 192.0.2.1\n")
        report = Report(total=10, passed=9, failed=1, failures=(failure,))
        agent.end(command, "failed", exit_code=1, message="9/10 pass, 1 fail: T03-dns.sh", tests=report)
        return
    if result == "failed":
        for line in BROKEN:
            agent.say(command, line, stream="stderr")
        agent.say(
            command, "[48123 bytes of output were not kept: the limit is 1048576 bytes a run]", stream="note"
        )
        agent.end(command, "failed", exit_code=1, message="caddy-2.10 did not build", outcome=LEFT)
        return
    agent.end(command, result, exit_code=0, message="generation 1 is active", commit=COMMIT)


RESULTS: dict[tuple[str, str], str] = {
    **{(one.name, one.run[0]): one.run[1] for one in GALLERY if one.run},
    **{(one.name, "switch"): "" for one in GALLERY if one.state in {"running", "unreachable"}},
}


@contextmanager
def gallery(lab: Lab, portraits: tuple[Portrait, ...] = GALLERY) -> Iterator[dict[str, SimulatedAgent]]:
    """The fleet's agents by name, each in its state; closed on leaving."""
    agents: dict[str, SimulatedAgent] = {}
    try:
        for one in portraits:
            token = lab.server.add_host(one.name, one.criticality)
            if one.state == "new":
                continue
            if one.name == REMEMBERS and one.facts and one.facts.store_path and one.facts.generation:
                now = int(time.time() * 1000)
                remember(lab, one.name, now, one.facts.store_path, int(one.facts.generation))
            interval = 1.0 if one.state == "stale" else 2.0
            agent = SimulatedAgent(
                lab.server.url,
                token,
                one.name,
                facts=one.facts,
                metrics=one.metrics,
                platform=one.platform,
                agent_version="0.2.0",
                protocol="1.1",
                commands=ALL,
                interval=interval,
                play=play,
            )
            agents[one.name] = agent.start()
            if one.run:
                lab.client.run(one.name, one.run[0]).wait(30)
            if one.state in {"running", "unreachable"}:
                lab.client.run(one.name, "switch")
        for one in portraits:
            if one.state == "stale":
                agents[one.name].silence()
            elif one.state in {"offline", "unreachable"}:
                if one.state == "unreachable":
                    until(lambda agent=agents[one.name]: agent.running, f"{one.name} at work")
                agents[one.name].close()
        for one in portraits:
            if one.state in {"offline", "unreachable", "stale"}:
                until(
                    lambda one=one: lab.client.host(one.name).presence == one.state, f"{one.name} {one.state}"
                )
        yield agents
    finally:
        for agent in agents.values():
            agent.close()
