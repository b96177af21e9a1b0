"""Builds the wheel and sdist of each package into a folder: `hatch run build [DIR]`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("nixfleet-protocol", "nixfleet-web", "nixfleet-server", "nixfleet-agent")
SOURCE_DATE_EPOCH = "1577836800"  # 2020-01-01: what hatchling itself uses, so that builds are alike


def build(target: Path, *, sdist: bool = True, packages: Path = ROOT / "packages") -> list[Path]:
    """Build the four packages below `packages` into `target`; returns the wheels.

    Raises CalledProcessError with the output.
    """
    for package in PACKAGES:
        kinds = ["--target", "wheel"] + (["--target", "sdist"] if sdist else [])
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "--directory", str(target.resolve()), *kinds],
            cwd=packages / package,
            env=os.environ | {"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH},
            check=True,
            capture_output=True,
        )
    return sorted(target.glob("*.whl"))


if __name__ == "__main__":
    for wheel in build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")):
        print(wheel)
