"""The file operations that durability rests on, in one small class, so that a test can watch and slow them down."""

import os
from pathlib import Path


class Files:
    """Plain files of the operating system. Every method may raise OSError."""

    def open(self, path: Path) -> int:
        """Open for appending, made if it is not there."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, data: bytes) -> None:
        """Write all of it."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def size(self, fd: int) -> int:
        """Bytes in the file."""
        return os.fstat(fd).st_size

    def truncate(self, fd: int, size: int) -> None:
        """Cut it off after so many bytes."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Return when the file's data is on the disk."""
        getattr(os, "fdatasync", os.fsync)(fd)

    def sync_directory(self, path: Path) -> None:
        """Return when the directory's entries are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self, fd: int) -> None:
        """Close."""
        os.close(fd)
