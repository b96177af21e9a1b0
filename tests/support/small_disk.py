"""A file system that is small and can be filled: for what a full disk really does."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, mib: int) -> Iterator[Path]:
    """The directory `place` with a file system of so many MiB. Skips the test where we may not mount."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path, leave: int = 0) -> Path:
    """A file that takes all there is, but for so many bytes."""
    path = place / "filler"
    with path.open("ab", buffering=0) as file:
        for size in (65536, 1024, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
        file.truncate(max(0, path.stat().st_size - leave))
    return path
