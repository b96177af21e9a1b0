"""Installs the system programs that tests need when run as root on Debian; elsewhere it says which are missing.

`hatch run test` and `test-all` call it first. Tests whose program is missing are skipped with the reason, and with
CI set in the environment a skip fails the run.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = {
    "git": "git",
    "strace": "strace",
    "nix": "nix-bin",
    "node": "nodejs",
    "npm": "npm",
    "chromium": "chromium",
    "openssl": "openssl",
    "systemd-analyze": "systemd",
    "podman": "podman",
    "buildah": "buildah",
    "runc": "runc",
    "caddy": "caddy",
    "iptables": "iptables",  # podman's networks are made with it
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "gpg": "gnupg",
    "faketime": "faketime",
    "nft": "nftables",
    "cc": "gcc",  # builds what moves a test's clock
}
"""Program on PATH → Debian package."""
FILES = {
    "usr/lib/podman/netavark": "netavark",  # podman's networks, and names on them
    "usr/lib/podman/aardvark-dns": "aardvark-dns",
    "usr/share/fonts/truetype/dejavu": "fonts-dejavu-core",  # Chromium brings no font
    "usr/include/stdio.h": "libc6-dev",
    "usr/lib/*/libatomic.so.1": "libatomic1",  # Playwright's driver needs it and doesn't bring it
}
"""File of the system (a glob below /) → Debian package."""


NPM = {"typescript": "5.9.3", "rollup": "4.68.8", "esbuild": "0.28.2"}
"""npm's packages → versions: what checks the page's types, and what bundles it."""
TOOLS = Path(__file__).parents[1] / ".tools" / "node_modules"
TSC = TOOLS / "typescript" / "bin" / "tsc"


def npm() -> bool:
    """Have the packages of NPM in TOOLS; False where npm can't get them."""
    absent = [f"{name}@{version}" for name, version in NPM.items() if _version(name) != version]
    if not absent:
        return True
    if shutil.which("npm") is None:
        return False
    flags = ["--prefix", str(TOOLS.parent), "--no-audit", "--no-fund", "--no-save", "--silent"]
    wanted = [f"{name}@{version}" for name, version in NPM.items()]
    return subprocess.run(["npm", "install", *flags, *wanted], check=False).returncode == 0


def _version(package: str) -> str | None:
    try:
        return str(json.loads((TOOLS / package / "package.json").read_text())["version"])
    except FileNotFoundError:
        return None


def missing() -> dict[str, str]:
    """Programs that are not on PATH, with their Debian package."""
    return {program: package for program, package in PROGRAMS.items() if shutil.which(program) is None}


def main() -> int:
    """Install what is missing; exit code 1 when that fails."""
    if code := programs():
        return code
    if not npm():
        print(
            f"scripts.prepare: npm could not get {', '.join(NPM)}: their tests are skipped", file=sys.stderr
        )
    return 0


def programs() -> int:
    """Install the system's programs; exit code 1 when that fails."""
    absent = missing()
    packages = [
        *absent.values(),
        *(package for glob, package in FILES.items() if not any(Path("/").glob(glob))),
    ]
    if not packages:
        return 0
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        if absent:
            print(
                f"scripts.prepare: not on PATH, their tests are skipped: {', '.join(absent)}", file=sys.stderr
            )
        return 0
    print(f"scripts.prepare: installing {' '.join(packages)}", file=sys.stderr)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *argv], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            sys.stderr.write(done.stdout.decode(errors="replace"))
            print(
                f"scripts.prepare: apt-get {argv[0]} failed with exit code {done.returncode}", file=sys.stderr
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
