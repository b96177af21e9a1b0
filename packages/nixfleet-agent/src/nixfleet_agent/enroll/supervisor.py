"""What supervisors and account databases are told, as tables of commands."""

import os
import pwd
import shutil
import subprocess
import sys

from nixfleet_agent.enroll.place import Refused
from nixfleet_agent.units import Installation, files
from nixfleet_agent.units.installation import RUNNER, SERVICE, SOCKET

_TIMEOUT = 90.0
_NOLOGIN = "/usr/sbin/nologin"
Commands = list[list[str]]


def start(installation: Installation) -> Commands:
    """Start the agent now and at every boot."""
    if installation.supervisor == "launchd":
        return [["launchctl", "bootstrap", _domain(installation), path] for path in files(installation)]
    systemctl = _systemctl(installation)
    names = [SOCKET, SERVICE] if installation.mode == "system" else [SERVICE]
    return [[*systemctl, "daemon-reload"], [*systemctl, "enable", "--now", *names]]


def stop(installation: Installation) -> Commands:
    """Stop it, with what it runs, for good. Every command may fail: what isn't there needs no stopping."""
    if installation.supervisor == "launchd":
        labels = [os.path.basename(path).removesuffix(".plist") for path in files(installation)]
        return [["launchctl", "bootout", f"{_domain(installation)}/{label}"] for label in labels]
    systemctl = _systemctl(installation)
    if installation.mode == "user":
        return [[*systemctl, "disable", "--now", SERVICE]]
    return [
        [*systemctl, "disable", "--now", SOCKET, SERVICE],
        [*systemctl, "stop", RUNNER.replace("@", "@*")],
    ]


def forget(installation: Installation) -> Commands:
    """After the files are gone."""
    if installation.supervisor == "launchd":
        return []
    return [[*_systemctl(installation), "daemon-reload"]]


def make_user(name: str, home: str) -> Commands:
    """A system account without login. On macOS accounts are records that are written one attribute at a time."""
    if sys.platform != "darwin":
        account = ["--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", _NOLOGIN]
        return [["useradd", *account, "--comment", "NixFleet agent", name]]
    number = _free_number()
    user, group = f"/Users/{name}", f"/Groups/{name}"
    attributes = {
        group: {"PrimaryGroupID": number},
        user: {
            "UniqueID": number,
            "PrimaryGroupID": number,
            "UserShell": "/usr/bin/false",
            "NFSHomeDirectory": home,
            "IsHidden": "1",
        },
    }
    found: Commands = []
    for record, values in attributes.items():
        found.append(["dscl", ".", "-create", record])
        found += [["dscl", ".", "-create", record, key, value] for key, value in values.items()]
    return found


def remove_user(name: str) -> Commands:
    """Take back what `make_user` made."""
    if sys.platform == "darwin":
        return [["dscl", ".", "-delete", f"/Users/{name}"], ["dscl", ".", "-delete", f"/Groups/{name}"]]
    return [["userdel", name]]


def run(commands: Commands, *, must: bool = True) -> None:
    """Run each. Raises Refused with the first one's own words unless it may fail."""
    for argv in commands:
        program = shutil.which(argv[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if program is None:
            if must:
                raise Refused(f"{argv[0]} is not on PATH")
            continue
        try:
            done = subprocess.run(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            if must:
                raise Refused(f"`{' '.join(argv)}`: {error}") from None
            continue
        if done.returncode and must:
            words = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
            raise Refused(f"`{' '.join(argv)}` failed: {words}")


def runs_here(supervisor: str, mode: str) -> bool:
    """Whether that supervisor is there to start something."""
    if supervisor == "launchd":
        return sys.platform == "darwin"
    if not os.path.isdir("/run/systemd/system"):
        return False
    return mode == "system" or os.path.exists(f"/run/user/{os.getuid()}/systemd")


def _systemctl(installation: Installation) -> list[str]:
    return ["systemctl"] if installation.mode == "system" else ["systemctl", "--user"]


def _domain(installation: Installation) -> str:
    return "system" if installation.mode == "system" else f"gui/{os.getuid()}"


def _free_number() -> str:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return str(next(number for number in range(549, 350, -1) if number not in taken))
