"""Podman with a storage and networks of its own, and the images of the tests: no registry is asked for anything.

The base is a Debian made on the spot. The images are built from the repository's own Dockerfile.
"""

import os
import shutil
import subprocess
import venv
from contextlib import suppress
from pathlib import Path

from scripts.build import ROOT, build

BASE, BUILD_BASE, SERVER, CADDY = (
    f"localhost/nixfleet-tests/{name}:1" for name in ("base", "build-base", "server", "caddy")
)
_CONTAINERS = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=8192:8192"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{directory}/networks"
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{directory}/graph"
runroot = "{directory}/run"
"""
_BUILD_BASE = f"""\
FROM {BASE}
COPY wheels /wheels
RUN python3 "$(ls /wheels/pip-*.whl)/pip" install --quiet --break-system-packages --no-index --find-links /wheels pip
"""
_CADDY = f"""\
FROM {BASE}
COPY caddy /usr/bin/caddy
ENV XDG_DATA_HOME=/data XDG_CONFIG_HOME=/config
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
"""


class Engine:
    """Runs podman, buildah and podman-compose in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.env = dict(os.environ)
        for name, text in (("CONTAINERS", _CONTAINERS), ("STORAGE", _STORAGE)):
            file = directory / f"{name.lower()}.conf"
            file.write_text(text.format(directory=directory))
            self.env["CONTAINERS_CONF" if name == "CONTAINERS" else "CONTAINERS_STORAGE_CONF"] = str(file)

    def run(
        self, *argv: object, check: bool = True, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with the engine's configuration; fails with its words unless `check` is off."""
        done = subprocess.run(
            [str(arg) for arg in argv],
            env=self.env | (env or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0 or not check, (
            f"{argv}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def podman(self, *args: object, check: bool = True) -> str:
        """What podman prints, without the newline at the end."""
        return self.run("podman", *args, check=check).stdout.rstrip("\n")

    def build_images(self) -> None:
        """Base, server and proxy."""
        archive = self.directory / "base.tar"
        self.run(
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--include=python3,ca-certificates",
            "trixie",
            archive,
        )
        self.podman("import", "--quiet", archive, BASE)
        archive.unlink()
        wheels = self._wheels()
        self._build_from(_BUILD_BASE, BUILD_BASE, wheels)
        self.build_server(SERVER)
        self._build_from(_CADDY, CADDY, Path(shutil.which("caddy") or ""))

    def build_server(self, tag: str, **arguments: str) -> None:
        """The image of the repository's Dockerfile, with wheels from a folder instead of an index."""
        given = {"BASE": BASE, "BUILD_BASE": BUILD_BASE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
        options = [f"--build-arg={name}={value}" for name, value in (given | arguments).items()]
        self._buildah("--file", ROOT / "docker" / "Dockerfile", "--tag", tag, *options, ROOT)

    def close(self) -> None:
        """Leave no process, network, mount or file behind."""
        for args in (("rm", "--all", "--force", "--time", "1"), ("network", "prune", "--force")):
            self.podman(*args, check=False)
        with suppress(subprocess.SubprocessError):
            self.run("umount", self.directory / "graph" / "overlay", check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _buildah(self, *args: object) -> None:
        self.run("buildah", "build", "--quiet", "--isolation", "chroot", "--format", "docker", *args)

    def _build_from(self, containerfile: str, tag: str, content: Path) -> None:
        context = self.directory / "context"
        context.mkdir()
        (context / "Containerfile").write_text(containerfile)
        (shutil.copytree if content.is_dir() else shutil.copy2)(content, context / content.name)
        self._buildah("--tag", tag, context)
        shutil.rmtree(context)

    def _wheels(self) -> Path:
        """A folder with the wheels of everything that the image and its build need, but not our own."""
        wheels = self.directory / "wheels"
        wheels.mkdir()
        build(wheels, sdist=False)
        venv.create(self.directory / "venv", with_pip=True)
        version = self.podman(
            "run", "--rm", BASE, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"
        )
        machine = os.uname().machine
        platforms = [
            "any",
            *(f"{kind}_{machine}" for kind in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")),
        ]
        self.run(
            *(self.directory / "venv" / "bin" / "pip", "download", "--quiet", "--dest", wheels),
            *("--find-links", wheels, "--only-binary=:all:", "--python-version", version),
            *(f"--platform={platform}" for platform in platforms),
            *("nixfleet-server", "hatchling", "cyclonedx-bom>=7,<8", "pip"),
        )
        for ours in wheels.glob("nixfleet_*"):
            ours.unlink()
        return wheels
