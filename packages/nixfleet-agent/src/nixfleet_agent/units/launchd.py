"""The agent under launchd: property lists, as macOS reads them from /Library/LaunchDaemons and ~/Library/LaunchAgents.

launchd ends a job's whole process group with the job, so runners of a user's agent are in sessions of their own and the
job has `AbandonProcessGroup`. A system installation has a second job, started for each connection (`inetdCompatibility`):
its descriptor 0 is the connection, and the runner checks who is at the other end, since a socket's owner can't be said.
"""

import plistlib
from typing import Any

from nixfleet_agent.units.installation import LABEL, RUNNER_LABEL, Installation

_EXIT_TIMEOUT = 20


def jobs(installation: Installation) -> dict[str, dict[str, Any]]:
    """Every job, by its label."""
    common: dict[str, Any] = {
        "EnvironmentVariables": installation.variables,
        "ProcessType": "Background",
        "AbandonProcessGroup": True,
    }
    logs = "/var/log" if installation.mode == "system" else f"{installation.home}/Library/Logs"
    agent = common | {
        "Label": LABEL,
        "ProgramArguments": [installation.program, "run"],
        "RunAtLoad": True,
        "KeepAlive": True,
        "ThrottleInterval": 5,
        "ExitTimeOut": _EXIT_TIMEOUT,
        "StandardOutPath": f"{logs}/nixfleet-agent.log",
        "StandardErrorPath": f"{logs}/nixfleet-agent.log",
    }
    if installation.mode == "user":
        return {LABEL: agent}
    runner = common | {
        "Label": RUNNER_LABEL,
        "ProgramArguments": [installation.program, "runner"],
        "inetdCompatibility": {"Wait": False},
        # 438 is 0666: launchd can't give the socket to the resident's group; the runner asks the kernel who connects.
        "Sockets": {"requests": {"SockPathName": installation.socket, "SockPathMode": 438}},
    }
    return {LABEL: agent | {"UserName": installation.user}, RUNNER_LABEL: runner}


def files(installation: Installation) -> dict[str, str]:
    """Absolute path → text."""
    base = "/Library/LaunchDaemons"
    if installation.mode == "user":
        base = f"{installation.home}/Library/LaunchAgents"
    return {
        f"{base}/{label}.plist": plistlib.dumps(job, sort_keys=False).decode()
        for label, job in jobs(installation).items()
    }
