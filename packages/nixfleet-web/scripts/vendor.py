#!/usr/bin/env python3
"""Vendored JavaScript: verify what is there, or refresh it from npm.

    python packages/nixfleet-web/scripts/vendor.py            verify (exit 1 and say which file differs)
    python packages/nixfleet-web/scripts/vendor.py --refresh  fetch the versions in MANIFEST.json again
    python packages/nixfleet-web/scripts/vendor.py --refresh --package @alpinejs/csp --version 3.17.4

MANIFEST.json is the one place for name, version, licence, source file and sha256 of each vendored file. `--refresh`
runs `npm pack`, so it needs npm and its registry; verifying needs neither.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parents[1] / "src" / "nixfleet_web" / "static" / "vendor"
MANIFEST = VENDOR / "MANIFEST.json"


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def verify(manifest: dict[str, Any], vendor: Path = VENDOR) -> list[str]:
    """What is wrong: one sentence for each file that is missing, differs or isn't listed."""
    faults = []
    listed = {"MANIFEST.json"}
    for library in manifest["libraries"]:
        listed |= {library["file"], library["license_file"]}
        path = vendor / library["file"]
        if not path.is_file():
            faults.append(f"{library['file']} is missing: run this script with --refresh")
        elif (found := sha256(path.read_bytes())) != library["sha256"]:
            faults.append(f"{library['file']} has sha256 {found}, MANIFEST.json says {library['sha256']}")
        if not (vendor / library["license_file"]).is_file():
            faults.append(f"{library['license_file']}, the licence of {library['name']}, is missing")
    found_files = {path.relative_to(vendor).as_posix() for path in vendor.rglob("*") if path.is_file()}
    faults += [f"{name} isn't listed in MANIFEST.json" for name in sorted(found_files - listed)]
    return faults


def pack(name: str, version: str) -> tarfile.TarFile:
    """The package's tarball from npm. Raises CalledProcessError when npm can't get it."""
    with tempfile.TemporaryDirectory() as directory:
        argv = ["npm", "pack", "--json", "--pack-destination", directory, f"{name}@{version}"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        (path,) = Path(directory).glob("*.tgz")
        # Read into memory by opening before the directory goes; on POSIX the open file stays readable.
        return tarfile.open(path)


def refresh(library: dict[str, Any], vendor: Path = VENDOR) -> None:
    """Replace the library's file by that of its version in npm, and note its hash."""
    with pack(library["name"], library["version"]) as tar:
        member = tar.extractfile(f"package/{library['source']}")
        if member is None:
            raise SystemExit(f"{library['name']} {library['version']} holds no {library['source']}")
        data = member.read()
    path = vendor / library["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    library["sha256"] = sha256(data)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 all as the manifest says, 1 something differs."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--refresh", action="store_true", help="fetch the files from npm again")
    parser.add_argument("--package", help="only this library")
    parser.add_argument("--version", help="move the library named by --package to this version")
    options = parser.parse_args(argv)
    if options.version and not options.package:
        parser.error("--version needs --package")
    manifest = json.loads(MANIFEST.read_text())
    if options.refresh:
        for library in manifest["libraries"]:
            if options.package in {None, library["name"]}:
                library["version"] = options.version or library["version"]
                refresh(library)
        MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")
    faults = verify(manifest)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
