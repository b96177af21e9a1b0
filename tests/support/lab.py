"""A server and agents of real processes in a temporary directory, for end-to-end tests."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from demo import repository
from demo.processes import Agent, Server, end_all_under
from nixfleet_protocol.client import Client
from nixfleet_protocol.messages import RunView
from nixfleet_protocol.record import Record, parse
from tests.support.nixhost import NixHost

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds until a wait is a failure: a wide safety bound, never a measurement."""


def until(
    question: Callable[[], T], what: str | Callable[[], str], timeout: float = PATIENCE, pause: float = 0.05
) -> T:
    """Ask until the answer is true; fail the test, naming `what`, when it is not within `timeout` seconds.

    `what` may be a function, for what is only worth looking at after a failure, as logs.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(pause)
    raise AssertionError(f"not within {timeout:g} s: {what if isinstance(what, str) else what()}")


def read_log(data: bytes) -> list[Record]:
    """The records of a whole log file. Raises ValueError when it holds anything else."""
    *lines, torn = data.split(b"\n")  # not splitlines: a bare CR belongs to the record
    assert torn == b"", "the log ends in a torn record"
    return [parse(line + b"\n") for line in lines]


class Lab:
    """Real processes; `client` speaks to the server with scope `operate`."""

    def __init__(self, directory: Path, **server_environment: str) -> None:
        self.directory = directory
        self.password = secrets.token_urlsafe(12)
        self.server = Server(directory / "server", self.password, extra=server_environment)
        self.token = self.server.add_token("tests")
        self.agents: list[Agent] = []
        self.server.start()
        self.client = Client(url=self.server.url, token=self.token)

    def repository(self, name: str, scripts: dict[str, str]) -> Path:
        """A git repository of executable scripts, path → text; `/bin/sh` unless the text has its own `#!`."""
        template = self.directory / f"{name}-files"
        for path, text in scripts.items():
            target = template / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
            target.chmod(0o755)
        place = self.directory / f"{name}-repository"
        repository.make(place, template)
        return place

    def agent(
        self,
        name: str,
        scripts: dict[str, str],
        *,
        url: str | None = None,
        interval: float = 1.0,
        **extra: str,
    ) -> Agent:
        """A started agent of a new host, whose repository holds `scripts`; returns when it is online."""
        source = self.repository(name, scripts)
        token = self.server.add_host(name)
        environment = {"NIXFLEET_INTERVAL": str(interval)} | extra
        agent = Agent(self.directory / name, name, url or self.server.url, token, str(source), environment)
        self.agents.append(agent)
        agent.start()
        self.online(name)
        return agent

    def nix_agent(self, host: NixHost, name: str = "web1", **extra: str) -> Agent:
        """A started agent of a NixOS host of real Nix, whose flake names it web1; returns when it is online."""
        given = {"NIXFLEET_INTERVAL": "1", "NIXFLEET_PLATFORM": "nixos", "NIXFLEET_ROOT": str(host.root)}
        token = self.server.add_host(name)
        environment = {**host.environment, **given, **extra}
        directory = self.directory / name
        agent = Agent(directory, name, self.server.url, token, str(host.repository), environment)
        self.agents.append(agent)
        agent.start()
        self.online(name)
        return agent

    def online(self, name: str) -> None:
        """Wait until the host is online."""
        until(lambda: self.client.host(name).presence == "online", lambda: f"{name} online\n{self.logs()}")

    def ended(self, run_id: str, timeout: float = PATIENCE * 2) -> RunView:
        """Wait until the run has ended, also over restarts of the server."""
        return self.client.get_run(run_id).wait(timeout)

    def server_log(self, run_id: str) -> bytes:
        """The run's log file on the server."""
        return (self.server.data / "logs" / f"{run_id}.log").read_bytes()

    def logs(self) -> str:
        """The end of what server and agents printed, for a failure's message."""
        parts = [f"server:\n{self.server.process.tail()}"]
        parts += [f"{agent.name}:\n{agent.process.tail()}" for agent in self.agents]
        return "\n".join(parts)

    def close(self) -> None:
        self.client.close()
        for agent in self.agents:
            agent.process.end()
        end_all_under(self.directory)
        self.server.process.end()


@contextmanager
def lab(directory: Path, **server_environment: str) -> Iterator[Lab]:
    """A Lab that is ended on leaving, whatever happened."""
    made = Lab(directory, **server_environment)
    try:
        yield made
    finally:
        made.close()
