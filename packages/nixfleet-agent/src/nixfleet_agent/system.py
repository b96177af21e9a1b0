"""The host itself: which operating system, which boot."""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping

from nixfleet_agent.nix.root import Root
from nixfleet_protocol import limits


def operating_system() -> tuple[str | None, str | None]:
    """Its name and version for people, as `("NixOS", "25.11")`; None for what can't be learnt."""
    import platform  # not for the resident, which only asks for the boot and its name

    if sys.platform == "darwin":
        return "macOS", platform.mac_ver()[0] or None
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        return release.get("NAME", "Linux")[:64], (
            release.get("VERSION_ID") or release.get("BUILD_ID") or ""
        )[:64] or None
    return platform.system()[:64] or None, platform.release()[:64] or None


_HERE = Root()


def boot_id(root: Root = _HERE) -> str | None:
    """Changes with each boot. A root that isn't this machine's may have one of its own."""
    found = root.read("/proc/sys/kernel/random/boot_id") or _HERE.read("/proc/sys/kernel/random/boot_id")
    if found:
        return found[:64]
    if sys.platform == "darwin":
        with contextlib.suppress(OSError):
            return os.popen("/usr/sbin/sysctl -n kern.bootsessionuuid").read(64).strip() or None  # noqa: S605
    return None


def failed_units(root: Root = _HERE) -> tuple[str, ...]:
    """Names of systemd's units in failed state; none where there is no systemd."""
    import subprocess  # only short-lived processes come here

    places = ("/run/current-system/sw/bin/systemctl", "/usr/bin/systemctl", "/bin/systemctl")
    program = next((place for place in map(root.resolve, places) if place), None)
    if program is None or root.resolve("/run/systemd/system") is None:
        return ()
    argv = [
        root.real(program),
        "list-units",
        "--state=failed",
        "--plain",
        "--no-legend",
        "--no-pager",
        "--full",
    ]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = done.stdout.decode(errors="replace").splitlines()
    names = [line.split()[0][:256] for line in lines if line.split()]
    return tuple(names[: limits.FAILURES_MAX])


def own_name(system: str, network_name: str, ask: Callable[..., str]) -> str:
    """The host's short name. On macOS the one its owner gave, since the network's changes with the network.

    `ask` runs a program and returns what it printed, empty when it failed.
    """
    given = ask("/usr/sbin/scutil", "--get", "LocalHostName").strip() if system == "darwin" else ""
    return given or network_name.partition(".")[0]


def ask(*argv: str) -> str:
    """What a small program of the system prints. Without `subprocess`, which would cost the resident a megabyte."""
    read, write = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    try:
        pid = os.posix_spawn(argv[0], argv, {}, file_actions=actions)
    except OSError:
        os.close(read)
        return ""
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as file:
        said = file.read(4096)
    os.waitpid(pid, 0)
    return said.decode(errors="replace")


def foreign(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for programs that aren't the agent's own: the agent's configuration is none of their business."""
    return {name: value for name, value in env.items() if not name.startswith("NIXFLEET_")}
