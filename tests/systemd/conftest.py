"""One machine and one server for all tests here; each test installs its agent anew, as a host of its own."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixfleet_agent.units import Installation, files, systemd
from nixfleet_agent.units.installation import SERVICE, SOCKET, USER
from nixfleet_protocol.client import Client
from nixfleet_protocol.messages import RunView
from nixfleet_protocol.record import Record
from tests.support.lab import Lab, lab, read_log, until
from tests.support.proxy import Proxy
from tests.systemd.machine import PROGRAM, Machine

ENVIRONMENT = "/etc/nixfleet/agent.env"
TOKEN = "/etc/nixfleet/token"  # a path
SOURCES = "/srv/sources"
SPAWNING = "nixfleet-spawning.service"


class Site:
    """The machine, the server that it reaches through `gate`, and the repositories that it sees."""

    def __init__(self, directory: Path, server: Lab) -> None:
        self.lab = server
        self.sources = directory / "sources"
        self.sources.mkdir()
        self.machine = Machine(directory, binds={self.sources: SOURCES})
        self.machine.install_program()
        self.machine.run("useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", USER)
        self.gate = Proxy(server.server.port, host=self.machine.gateway)

    @property
    def client(self) -> Client:
        return self.lab.client

    def installed(
        self, scripts: dict[str, str], *, name: str = "", program: str = PROGRAM, **environment: str
    ) -> "Host":
        """A new host: a system installation with the agent up and online."""
        host = Host(self, name or new_name(), scripts)
        host.configure(environment)
        machine = self.machine
        machine.run("systemctl", "stop", SERVICE, SOCKET, check=False)
        machine.run("sh", "-c", "rm -rf /var/lib/nixfleet-agent /var/lib/nixfleet-agent-resident")
        for path, text in files(Installation(program=program, environment_file=ENVIRONMENT)).items():
            machine.write(path, text)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", SOCKET, SERVICE)
        host.online()
        return host

    def spawning(
        self, scripts: dict[str, str], *, user: str, settings: dict[str, str], **environment: str
    ) -> "Host":
        """A new host without the socket: one unit, of root's manager or a user's own, that starts its runners itself."""
        machine = self.machine
        machine.run("systemctl", "disable", "--now", SERVICE, SOCKET, check=False)
        host = Host(self, new_name(), scripts)
        home = machine.run("sh", "-c", f"echo ~{user}").strip()
        host.configure({"NIXFLEET_STATE_DIR": f"{home}/state", **environment})
        machine.run("chown", user, TOKEN)
        machine.run("rm", "-rf", f"{home}/state")
        unit = systemd.units(Installation(program=PROGRAM, mode="user", environment_file=ENVIRONMENT))[
            SERVICE
        ]
        unit["Service"] = {**unit["Service"], **settings}
        place = "/etc/systemd/system" if user == "root" else f"{home}/.config/systemd/user"
        machine.write(f"{place}/{SPAWNING}", systemd.render(unit))
        self.manage(user, "daemon-reload")
        self.manage(user, "restart", SPAWNING)
        host.online()
        return host

    def manage(self, user: str, *words: str) -> str:
        """`systemctl` of root's manager, or of a user's."""
        if user == "root":
            return self.machine.run("systemctl", *words)
        number = self.machine.run("id", "-u", user).strip()
        return self.machine.run(
            "env", f"XDG_RUNTIME_DIR=/run/user/{number}", "systemctl", "--user", *words, user=user
        )

    def close(self) -> None:
        self.gate.close()
        self.machine.close()


def new_name() -> str:
    return f"host-{uuid.uuid4().hex[:8]}"


class Host:
    """One host of the server, on the machine."""

    def __init__(self, site: Site, name: str, scripts: dict[str, str]) -> None:
        self.site = site
        self.name = name
        self.machine = site.machine
        self.place = site.lab.repository(name, scripts).rename(site.sources / name)

    def commit(self, files: dict[str, str]) -> None:
        """Change files of the repository, as they are, and commit them."""
        for path, text in files.items():
            (self.place / path).write_text(text)
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        for words in (["add", "--all"], [*who, "commit", "--quiet", "--allow-empty", "-m", "a change"]):
            subprocess.run(["git", "-C", str(self.place), *words], check=True, capture_output=True)

    def configure(self, extra: dict[str, str]) -> None:
        token = self.site.lab.server.add_host(self.name)
        variables = {
            "NIXFLEET_URL": f"http://{self.machine.gateway}:{self.site.gate.port}",
            "NIXFLEET_ALLOW_PLAIN_HTTP": "1",
            "NIXFLEET_TOKEN_FILE": TOKEN,
            "NIXFLEET_HOSTNAME": self.name,
            "NIXFLEET_INTERVAL": "1",
            "NIXFLEET_PLATFORM": "script",
            "NIXFLEET_REPO_URL": f"{SOURCES}/{self.name}",
            **extra,
        }
        self.machine.write(ENVIRONMENT, "".join(f"{name}={value}\n" for name, value in variables.items()))
        self.machine.write(TOKEN, token, 0o640)
        self.machine.run("chgrp", USER, TOKEN)

    def online(self) -> None:
        def asked() -> bool:
            return self.site.client.host(self.name).presence == "online"

        until(asked, f"{self.name} online\n{self.journal()}")

    def dispatch(self, command: str, **options: object) -> str:
        return self.site.client.run(self.name, command, **options).id

    def ended(self, run_id: str) -> RunView:
        try:
            return self.site.lab.ended(run_id, 90)
        except TimeoutError:
            raise AssertionError(f"run {run_id} has not ended\n{self.journal()}") from None

    def log(self, run_id: str) -> list[Record]:
        """The run's records at the server; numbered without a gap."""
        records = read_log(self.site.lab.server_log(run_id))
        assert [record.seq for record in records] == list(range(1, len(records) + 1))
        return records

    def text(self, run_id: str) -> bytes:
        return b"".join(record.raw() for record in self.log(run_id))

    def runner(self, run_id: str) -> int:
        """Process id of the run's runner, as the machine numbers it."""
        text = self.machine.run("cat", f"/var/lib/nixfleet-agent/runs/{run_id}/runner.json")
        return int(json.loads(text)["pid"])

    def says(self, run_id: str, what: bytes) -> None:
        """Wait until the server has this line of the run."""

        def asked() -> bool:
            path = self.site.lab.server.data / "logs" / f"{run_id}.log"
            return path.exists() and what in b"".join(record.raw() for record in whole(path.read_bytes()))

        until(asked, f"{what!r} in the log\n{self.journal()}")

    def journal(self) -> str:
        return self.machine.run("journalctl", "--no-pager", "-n", "60", check=False)


def whole(data: bytes) -> list[Record]:
    """The whole records of a log that is being written."""
    return read_log(data[: data.rfind(b"\n") + 1])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("only root can boot a machine")
    directory = tmp_path_factory.mktemp("site")
    with lab(directory) as server:
        made = Site(directory, server)
        yield made
        made.close()
