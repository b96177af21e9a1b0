"""The agent under systemd: unit → section → setting → value (a list is one line each).

The resident is closed in as far as a program that opens TCP connections can be. The runner is not: it is the root that
an operator would otherwise be, so nothing but its own checks stands between a request and the host. What keeps a run
alive through its own switch (measured on systemd 257, read in switch-to-configuration-ng):

- a unit and a cgroup of its own for each run, depending on nothing of the resident's;
- a changed template doesn't restart its instances (`X-RestartIfChanged`, `X-StopIfChanged`), nor does a template that is
  gone stop them (`X-StopOnRemoval`: that of the *old* unit counts);
- the socket's path, owner and mode never change: a changed `.socket` is not restarted.
"""

from nixfleet_agent.units.installation import RUNNER, SERVICE, SOCKET, Installation

Unit = dict[str, dict[str, str | list[str]]]

_CLOSED: dict[str, str | list[str]] = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateMounts": "yes",
    "PrivateDevices": "yes",  # /dev/shm, where StaSysMo writes, stays
    "PrivateUsers": "yes",
    "ProtectHostname": "yes",
    "ProtectClock": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectProc": "invisible",  # not ProcSubset=pid: that hides /proc/stat and /proc/meminfo, the metrics
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RemoveIPC": "yes",
    "SocketBindDeny": ["ipv4:tcp", "ipv4:udp", "ipv6:tcp", "ipv6:udp"],
    "SystemCallArchitectures": "native",
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "SystemCallErrorNumber": "EPERM",
    "KeyringMode": "private",
    "DevicePolicy": "closed",
}
_ALWAYS: dict[str, str | list[str]] = {"Restart": "always", "RestartSec": "5"}
_AGENT: dict[str, str | list[str]] = {
    "Description": "NixFleet agent",
    "Documentation": "https://github.com/nixfleet/nixfleet",
    # Not after network-online.target: the agent waits for names and routes by itself, and says so meanwhile.
    "StartLimitIntervalSec": "0",
}


def units(installation: Installation) -> dict[str, Unit]:
    """Every unit, by its file's name."""
    return _user(installation) if installation.mode == "user" else _system(installation)


def render(unit: Unit) -> str:
    """The text of a unit file."""
    parts = []
    for section, settings in unit.items():
        lines = [
            f"{name}={line}"
            for name, value in settings.items()
            for line in ([value] if isinstance(value, str) else value)
        ]
        parts.append("\n".join([f"[{section}]", *lines]))
    return "\n\n".join(parts) + "\n"


def files(installation: Installation) -> dict[str, str]:
    """Absolute path → text."""
    base = "/etc/systemd/system"
    if installation.mode == "user":
        base = f"{installation.home}/.config/systemd/user"
    return {f"{base}/{name}": render(unit) for name, unit in units(installation).items()}


def _system(installation: Installation) -> dict[str, Unit]:
    environment = _environment(installation)
    resident: Unit = {
        "Unit": _AGENT | {"After": SOCKET, "Wants": SOCKET},
        "Service": {
            "Type": "exec",
            "ExecStart": f"{installation.program} run",
            "User": installation.user,
            "Group": installation.user,
            **environment,
            "StateDirectory": installation.resident_dir.removeprefix("/var/lib/"),
            "StateDirectoryMode": "0700",
            "UMask": "0077",
            **_ALWAYS,
            "TimeoutStopSec": "15",
            **_CLOSED,
            "X-RestartIfChanged": "false",  # the run restarts it, once the new system stands
        },
        "Install": {"WantedBy": "multi-user.target"},
    }
    socket: Unit = {
        "Unit": {"Description": "NixFleet agent: requests for the root runner"},
        "Socket": {
            "ListenStream": installation.socket,
            "Accept": "yes",
            "SocketUser": "root",
            "SocketGroup": installation.user,
            "SocketMode": "0660",
            "DirectoryMode": "0755",
            "MaxConnections": "32",
            # More than that are refused; a flood must not put the socket into failure, out of an operator's reach.
            "TriggerLimitIntervalSec": "0",
            "Backlog": "32",
        },
        "Install": {"WantedBy": "sockets.target"},
    }
    runner: Unit = {
        "Unit": {
            "Description": "NixFleet agent: one request, as root",
            "CollectMode": "inactive-or-failed",
            "X-StopOnRemoval": "false",
        },
        "Service": {
            "Type": "exec",
            "ExecStart": f"{installation.program} runner",
            "ExecStopPost": f"{installation.program} settle-dead",
            **environment,
            "UMask": "0022",
            "StandardInput": "null",  # the connection is descriptor 3: as stdout it would be a pipe to one who may die
            "StandardOutput": "journal",
            "StandardError": "journal",
            "KillMode": "mixed",
            "OOMPolicy": "continue",
            "TimeoutStopSec": "30",
            "X-RestartIfChanged": "false",
            "X-StopIfChanged": "false",
        },
    }
    return {SERVICE: resident, SOCKET: socket, RUNNER: runner}


def _user(installation: Installation) -> dict[str, Unit]:
    return {
        SERVICE: {
            "Unit": dict(_AGENT),
            "Service": {
                "Type": "exec",
                "ExecStart": f"{installation.program} run",
                **_environment(installation),
                **_ALWAYS,
                # A runner moves into a scope of its own; where the manager refuses that, this keeps it alive.
                "KillMode": "process",
                "X-RestartIfChanged": "false",
            },
            "Install": {"WantedBy": "default.target"},
        }
    }


def _environment(installation: Installation) -> dict[str, str | list[str]]:
    file = installation.environment_file
    given: dict[str, str | list[str]] = {
        "Environment": [f'"{name}={_quoted(value)}"' for name, value in installation.variables.items()]
    }
    return given | ({"EnvironmentFile": file} if file else {})


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
