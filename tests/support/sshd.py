"""A real sshd on loopback that serves git repositories, with a host key and one allowed user key of its own."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from demo.processes import Process, clean_environment, free_port


def key(path: Path) -> Path:
    """A fresh ed25519 key pair without a passphrase; returns the private key's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True
    )
    return path


class Sshd:
    """Lets the current user in with `user_key`, and no other. `log` tells who tried what."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.user_key = key(directory / "allowed")
        self.other_key = key(directory / "stranger")
        self.host_key = key(directory / "host")
        (directory / "authorized").write_text((directory / "allowed.pub").read_text())
        self.log = directory / "sshd.log"
        self._settings = directory / "sshd_config"
        self._write()
        self._process: Process | None = None
        self.start()

    def url(self, path: Path) -> str:
        """Address of a repository on this machine, over ssh."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Serve; returns when it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks its unprivileged part in
        program = shutil.which("sshd")
        assert program
        argv = [program, "-D", "-e", "-f", str(self._settings)]  # it starts itself again, by its whole path
        self._process = Process(argv, clean_environment({}), self.log)
        self._process.start()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"sshd did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        if self._process:
            self._process.end()

    def new_host_key(self) -> None:
        """As another machine at this address would have."""
        self.stop()
        self.host_key = key(self.directory / "another-host")
        self._write()
        self.start()

    def _write(self) -> None:
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.host_key,
            "AuthorizedKeysFile": self.directory / "authorized",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "LogLevel": "VERBOSE",
            "AcceptEnv": "LANG",
        }
        self._settings.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
