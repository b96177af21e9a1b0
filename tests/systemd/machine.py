"""A machine with systemd as init, in a container: booted in a second, reached by commands, cut off at will."""

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psutil

from tests.support.lab import until
from tests.systemd.image import image

PROGRAM = "/usr/local/bin/nixfleet-agent"
REPOSITORY = Path(__file__).parents[2]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WRAPPER = """#!/opt/python/bin/{python} -P
import sys
sys.path[:0] = ["/opt/src/nixfleet-agent/src", "/opt/src/nixfleet-protocol/src", "/opt/site"]
import nixfleet_agent.__about__ as about
about.__version__ = {version} or about.__version__
from nixfleet_agent.cli import main
sys.exit(main())
"""
"""This checkout and this Python, at a place that every user of the machine may read."""


class Machine:
    """One machine and its network: `gateway` is this side's address, `address` the machine's."""

    def __init__(self, directory: Path, *, binds: dict[Path, str] | None = None) -> None:
        self.name = f"nf{os.getpid()}"
        number = os.getpid() % 16384
        net = f"10.213.{number // 64}.{number % 64 * 4}".rpartition(".")
        self.gateway, self.address = (f"{net[0]}.{int(net[2]) + last}" for last in (1, 2))
        self._work = directory / "machine"
        self._log = directory / "machine.log"
        self._link = f"nh{os.getpid()}"[:15]
        self._network()
        given = {
            Path(sys.base_prefix): "/opt/python",
            Path(sysconfig.get_path("purelib")): "/opt/site",
            REPOSITORY / "packages": "/opt/src",
            **(binds or {}),
        }
        argv = ["unshare", "-m", "sh", str(Path(__file__).parent / "boot.sh"), self.name, str(image())]
        argv += [
            str(self._work),
            f"--network-namespace-path=/run/netns/{self.name}",
            f"--hostname={self.name}",
        ]
        argv += [
            "--capability=CAP_NET_ADMIN",
            *(f"--bind-ro={there}:{here}" for there, here in given.items()),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.booted()
        if sys.base_prefix != "/usr":  # its libpython lies beside it
            self.write("/etc/ld.so.conf.d/python.conf", "/opt/python/lib\n")
            self.run("ldconfig")

    def booted(self, other_than: int | None = None) -> None:
        """Wait until it is up, and (after a reboot) is another than the init process `other_than`."""
        until(lambda: self._init() not in (None, other_than), f"the machine's init\n{self._log.read_text()}")
        until(
            lambda: (
                self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")
            ),
            "the machine to be up",
        )

    def run(self, *argv: str, check: bool = True, input: str | None = None, user: str | None = None) -> str:
        """Run a command there, as root or another user; what it wrote to standard output."""
        words = (
            ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv] if user else list(argv)
        )
        done = subprocess.run(
            [*self._enter(), *words],
            input=input or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if check:
            assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self.run(
            "sh", "-c", f'mkdir -p "$(dirname {path})" && cat >{path} && chmod {mode:o} {path}', input=text
        )

    def exists(self, path: str) -> bool:
        return self.run("sh", "-c", f"test -e {path} && echo yes", check=False) == "yes\n"

    def property(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def install_program(self, path: str = PROGRAM, version: str | None = None) -> None:
        """The agent of this checkout, as if it were of that version."""
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.write(path, _WRAPPER.format(python=python, version=repr(version)), 0o755)

    def reboot(self, *, hard: bool = False) -> None:
        """`hard`: as a power loss, without a word to anybody."""
        before = self._init()
        self.run("systemctl", "reboot", *(["--force", "--force"] if hard else []), check=False)
        self.booted(before)

    def close(self) -> None:
        """Kill it and take its network away."""
        if (init := self._init()) is not None:
            with contextlib.suppress(psutil.Error):
                psutil.Process(init).kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(20)
        for argv in (["ip", "link", "delete", self._link], ["ip", "netns", "delete", self.name]):
            subprocess.run(argv, capture_output=True, check=False)
        with contextlib.suppress(OSError):
            time.sleep(0.1)
            Path(f"/sys/fs/cgroup/nspawn-{self.name}").rmdir()
        shutil.rmtree(self._work, ignore_errors=True)

    def _network(self) -> None:
        inside = ["ip", "-n", self.name]
        for argv in (
            ["ip", "netns", "add", self.name],
            ["ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name],
            ["ip", "address", "add", f"{self.gateway}/30", "dev", self._link],
            ["ip", "link", "set", self._link, "up"],
            [*inside, "address", "add", f"{self.address}/30", "dev", "eth0"],
            [*inside, "link", "set", "eth0", "up"],
            [*inside, "link", "set", "lo", "up"],
        ):
            subprocess.run(argv, check=True, capture_output=True)

    def _enter(self) -> list[str]:
        init = self._init()
        assert init is not None, "the machine is down"
        enter = ["nsenter", "-t", str(init), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        return [*enter, "env", "-i", f"PATH={_PATH}", "HOME=/root", "LANG=C.UTF-8"]

    def _init(self) -> int | None:
        """The machine's process 1, as this side numbers it."""
        with contextlib.suppress(psutil.Error, OSError):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                status = Path(f"/proc/{process.pid}/status").read_text()
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
                if len(numbers) > 1 and numbers[-1] == "1":
                    return process.pid
        return None
