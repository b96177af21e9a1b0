"""The host itself: which operating system, which boot."""

import contextlib
import os
import platform
import sys
from collections.abc import Mapping


def operating_system() -> tuple[str | None, str | None]:
    """Its name and version for people, as `("NixOS", "25.11")`; None for what can't be learnt."""
    if sys.platform == "darwin":
        return "macOS", platform.mac_ver()[0] or None
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        return release.get("NAME", "Linux")[:64], (
            release.get("VERSION_ID") or release.get("BUILD_ID") or ""
        )[:64] or None
    return platform.system()[:64] or None, platform.release()[:64] or None


def boot_id() -> str | None:
    """Changes with each boot."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read(64).strip()
    if sys.platform == "darwin":
        with contextlib.suppress(OSError):
            return os.popen("/usr/sbin/sysctl -n kern.bootsessionuuid").read(64).strip() or None  # noqa: S605
    return None


def foreign(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for programs that aren't the agent's own: the agent's configuration is none of their business."""
    return {name: value for name, value in env.items() if not name.startswith("NIXFLEET_")}
