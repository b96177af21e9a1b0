"""A host made of real Nix in a directory: store, profiles, generations and a fake system that can be switched to.

The system has what NixFleet looks at (switch-to-configuration, kernel, initrd, versions) and behaves as the repository's
`behaviour` file says: a piece of shell that runs in the activation with the verb as `$1`.
"""

import os
import subprocess
from pathlib import Path

FLAKE = """{
  outputs = { self }: let system = import ./system.nix; in {
    nixosConfigurations.web1.config.system.build.toplevel = system { kind = "nixos"; };
    darwinConfigurations.web1.system = system { kind = "darwin"; };
    homeConfigurations."root@web1".activationPackage = system { kind = "home"; };
  };
}
"""
SYSTEM = r"""{ kind }:
let
  text = builtins.readFile;
  make = name: script: derivation {
    inherit name; system = builtins.currentSystem or "x86_64-linux"; PATH = "/usr/bin:/bin";
    builder = "/bin/sh"; args = [ "-c" script ];
  };
  version = builtins.replaceStrings [ "\n" ] [ "" ] (text ./version);
  kernel = make "linux-${version}" "echo building the kernel; mkdir -p $out/lib/modules/${version}; echo k > $out/bzImage; echo i > $out/initrd";
  hello = make "hello-${version}" ("echo configuring; " + text ./build + "\n" + ''
    mkdir -p $out/bin; echo ${version} > $out/bin/hello
    cp ${./systemctl} $out/bin/systemctl; chmod +x $out/bin/systemctl
  '');
in derivation {
  name = "${kind}-system-web1-${version}"; system = "x86_64-linux"; PATH = "/usr/bin:/bin";
  inherit kernel hello version kind; behaviour = text ./behaviour;
  passAsFile = [ "behaviour" ];
  builder = "/bin/sh"; args = [ "-c" ''
    mkdir -p $out/bin $out/etc
    ln -s $kernel/bzImage $out/kernel; ln -s $kernel/initrd $out/initrd; ln -s $kernel $out/kernel-modules
    ln -s $hello $out/sw
    echo $version > $out/nixos-version; echo quiet > $out/kernel-params; echo "systemd 2" > $out/init-interface-version
    cp $behaviourPath $out/behaviour
    {
      echo '#!/bin/sh'
      echo "out=$out kind=$kind"
      cat ${./activate}
    } > $out/activate
    chmod +x $out/activate; cp $out/activate $out/bin/switch-to-configuration
  '' ];
}
"""
ACTIVATE = r"""
# $1: test, switch, boot, dry-activate; nothing for nix-darwin and home-manager
root=${out%%/nix/store/*}
echo "$kind ${1:-activate} $out" >> $root/calls
version=${out##*-}
case "$kind ${1:-}" in
  "nixos test"|"nixos switch"|"darwin ")
    echo "activating the configuration..." >&2
    ln -sfn $out $root/run/current-system ;;
  "nixos boot") ln -sfn $out $root/boot-default ;;
  "nixos dry-activate") echo "would restart the following units: hello.service" >&2 ;;
  "home ")
    state=$root$HOME/.local/state
    mkdir -p $state/home-manager/gcroots
    ln -sfn $out $state/home-manager/gcroots/current-home
    nix-env --profile $state/nix/profiles/home-manager --set $out >&2 ;;
  *) echo "unknown verb" >&2; exit 2 ;;
esac
. $out/behaviour
"""

SYSTEMCTL = r"""#!/bin/sh
# As systemd's: a reboot is asked for and comes later, the failed units are those in /failed.
self=$(readlink -f "$0"); root=${self%%/nix/store/*}
case "$1" in
  reboot) touch $root/reboot-asked ;;
  list-units) cat $root/failed 2>/dev/null ;;
  *) exit 0 ;;
esac
"""


FILES = {
    "flake.nix": FLAKE,
    "system.nix": SYSTEM,
    "activate": ACTIVATE,
    "systemctl": SYSTEMCTL,
    "version": "1.0\n",
    "build": "\n",
    "behaviour": "",
}
"""The configuration of host web1, as it begins."""


class NixHost:
    """`root` is its /; `repository` its configuration, to commit to. Environment of programs there: `environment`."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.repository = directory / "repository"
        self.home = directory / "home"
        for place in ("etc", "run", "nix/var/nix/profiles", "proc/sys/kernel/random", "etc-nix"):
            (self.root / place).mkdir(parents=True)
        self.home.mkdir()
        (self.root / "etc-nix/nix.conf").write_text(
            "experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstituters =\n"
        )
        (self.root / "etc/NIXOS").touch()
        self.boots("first-boot")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "USER": "root",
            "NIX_CONF_DIR": str(self.root / "etc-nix"),
            "NIX_STORE_DIR": str(self.root / "nix/store"),
            "NIX_STATE_DIR": str(self.root / "nix/var/nix"),
            "NIX_LOG_DIR": str(self.root / "nix/var/log/nix"),
            "NIX_LOCALSTATE_DIR": str(self.root / "nix/var"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "NIX_REMOTE": "",
        }
        self.repository.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")
        self.commit(FILES)

    def commit(self, files: dict[str, str]) -> str:
        """Change files and commit them; the commit."""
        for name, text in files.items():
            (self.repository / name).write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "-m", "a change")
        return self._git("rev-parse", "HEAD")

    def boots(self, boot_id: str) -> None:
        """The host starts: another boot id, and it runs what its boot entry says."""
        (self.root / "proc/sys/kernel/random/boot_id").write_text(f"{boot_id}\n")
        if (default := self.root / "boot-default").is_symlink():
            for name in ("current-system", "booted-system"):
                link = self.root / "run" / name
                link.unlink(missing_ok=True)
                link.symlink_to(default.readlink())

    @property
    def current(self) -> str:
        """Name of the system that runs, without its hash."""
        return self._name(self.root / "run/current-system")

    @property
    def profile(self) -> str:
        """The same of the system that the profile points to."""
        return self._name(self.root / "nix/var/nix/profiles/system")

    @property
    def boot_default(self) -> str:
        """The same of the system that the next boot starts."""
        return self._name(self.root / "boot-default")

    @property
    def calls(self) -> list[str]:
        """What was activated, as `nixos test NAME`, oldest first."""
        file = self.root / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [f"{line.rpartition(' ')[0]} {line.rpartition('/')[2].partition('-')[2]}" for line in lines]

    def _name(self, link: Path) -> str:
        return link.resolve().name.partition("-")[2] if link.is_symlink() else ""

    def _git(self, *words: str) -> str:
        identity = {
            f"GIT_{who}_{what}": "a@example.invalid"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", "-C", str(self.repository), *words],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", **identity},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()
