"""Fake hosts: directory trees as NixOS, nix-darwin and home-manager lay them out, links absolute as they are."""

import json
import os
from pathlib import Path

from nixfleet_agent.nix.root import Root

PROFILES = "/nix/var/nix/profiles"
SCRIPT = """#! /nix/store/x-bash/bin/bash
case "$1" in
  --configuration-revision)
    if [[ "@configurationRevision@" =~ "@" ]]; then exit 1; fi
    ;;
  --json)
    cat <<EOF
{json}
EOF
    ;;
  *)
    echo "{version} (Xantusia)"
    ;;
esac
"""


class Host:
    """A tree to fill. Paths are absolute as on the host."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = Root(str(directory))

    def at(self, path: str) -> Path:
        place = self.directory / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def write(self, path: str, text: str) -> None:
        self.at(path).write_text(text)

    def link(self, path: str, target: str, at: int | None = None) -> None:
        """`at`: when it was made, ms since the epoch."""
        place = self.at(path)
        place.unlink(missing_ok=True)
        place.symlink_to(target)
        if at is not None:
            os.utime(place, ns=(at * 1_000_000, at * 1_000_000), follow_symlinks=False)

    def system(
        self, name: str, *, kernel: str = "6.12.41", systemd: str = "258", params: str = "quiet"
    ) -> str:
        """A NixOS system in the store; returns its path."""
        path = f"/nix/store/{name}-nixos-system"
        self.link(f"{path}/kernel", f"/nix/store/k{kernel}-linux-{kernel}/bzImage")
        self.link(f"{path}/initrd", f"/nix/store/i{kernel}-initrd/initrd")
        self.link(f"{path}/kernel-modules", f"/nix/store/m{kernel}-kernel-modules")
        self.at(f"/nix/store/m{kernel}-kernel-modules/lib/modules/{kernel}").mkdir(
            parents=True, exist_ok=True
        )
        self.link(f"{path}/systemd", f"/nix/store/s{systemd}-systemd-{systemd}")
        self.write(f"{path}/kernel-params", params)
        self.write(f"{path}/init-interface-version", "systemd 2\n")
        self.write(f"{path}/switch-inhibitors", json.dumps({"dbus": "broker"}))
        return path

    def versions(self, system: str, **content: str) -> None:
        """The system's `nixos-version` script, reached through `sw` as on a real host."""
        script = SCRIPT.replace("{json}", json.dumps(content)).replace("{version}", content["nixosVersion"])
        self.write(f"{system}-version/bin/nixos-version", script)
        self.link(f"{system}-path/bin", f"{system}-version/bin")
        self.link(f"{system}/sw", f"{system}-path")

    def generation(
        self, number: int, target: str, at: int | None = None, profile: str = f"{PROFILES}/system"
    ) -> None:
        """A new generation, which the profile then points at, relatively, as Nix does."""
        self.link(f"{profile}-{number}-link", target, at)
        self.link(profile, f"{profile.rpartition('/')[2]}-{number}-link")

    def boot(self, system: str) -> None:
        self.link("/run/booted-system", system)
        self.link("/run/current-system", system)
