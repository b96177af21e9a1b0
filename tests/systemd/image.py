"""The root file system of the test machines: made once with mmdebstrap, kept in the user's cache directory."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SUITE = "trixie"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "passwd",
    "python3",
    "iproute2",
    "nftables",
    "nix-bin",
    "git",
    "ca-certificates",
)


def image() -> Path:
    """Its directory; made now if it isn't there (half a minute, and a Debian mirror that apt knows)."""
    name = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nixfleet-tests"
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"debian-{name}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            fresh = cache / f"making-{name}"
            shutil.rmtree(fresh, ignore_errors=True)
            argv = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(fresh)]
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == 0, done.stderr[-2000:]
            (fresh / "etc" / "hostname").write_text("")
            (fresh / "etc" / "machine-id").write_text("")
            fresh.rename(place)
    return place
