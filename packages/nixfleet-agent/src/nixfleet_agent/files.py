"""Files that are believed only once they are durable. Every write that matters goes through `Disk`.

The order of these calls is what makes "acknowledged means durable" true, so tests inject a `Disk` that records them.
"""

import contextlib
import fcntl
import json
import os
import stat
import sys
from typing import Any

SHARED = 0o640
"""Mode of what the resident reads. Its group gets that far only where the state directory is root's and lets it in."""
_FULLFSYNC = getattr(fcntl, "F_FULLFSYNC", None) if sys.platform == "darwin" else None


class Disk:
    """The file operations a journal is made of. All raise OSError; paths are absolute."""

    def mkdir(self, path: str) -> None:
        os.mkdir(path, 0o750)

    def create(self, path: str, data: bytes) -> None:
        """Write a whole new file (or overwrite an old one), not yet durable."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, SHARED)
        try:
            self.write(fd, data)
        finally:
            os.close(fd)

    def write(self, fd: int, data: bytes) -> None:
        """Write all of the data, in as many calls as it takes."""
        done = os.write(fd, data)
        while done < len(data):
            done += os.write(fd, data[done:])

    def datasync(self, fd: int, path: str) -> None:
        """Make a file's content durable. `path` says which, for those who watch."""
        if _FULLFSYNC is not None:  # macOS: fsync stops at the drive's cache
            fcntl.fcntl(fd, _FULLFSYNC)
        else:
            os.fdatasync(fd)

    def sync(self, path: str) -> None:
        """Make a file, or the names in a directory, durable."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _FULLFSYNC is not None:
                fcntl.fcntl(fd, _FULLFSYNC)
            else:
                os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: str, new: str) -> None:
        os.replace(old, new)

    def replace(self, path: str, data: bytes) -> None:
        """Put a file in place whole and durable: write beside it, fsync, rename, fsync the directory."""
        beside = f"{path}.tmp"
        self.create(beside, data)
        self.sync(beside)
        self.rename(beside, path)
        self.sync(os.path.dirname(path))


def swap_json(path: str, value: Any) -> None:
    """Replace a small file that may be lost but never be torn. Raises OSError."""
    beside = f"{path}.{os.getpid()}.tmp"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, SHARED)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(json.dumps(value).encode())
        os.replace(beside, path)
    except OSError:  # a full disk is not to fill with empty files, one a process
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def read_json(path: str) -> dict[str, Any] | None:
    """A small JSON object from a file, or None when it's missing or not one."""
    with contextlib.suppress(OSError, ValueError):
        fd = os.open(
            path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        )  # a pipe in its place is not waited for
        with os.fdopen(fd, "rb") as file:
            value = json.loads(file.read(2**20))
        if isinstance(value, dict):
            return value
    return None


class NotPrivate(Exception):
    """A directory that others may have made or may change. `str()` names it and says what to do."""


def own_directory(path: str, group: int | None = None) -> None:
    """See that a directory is real, ours, and nobody else's (mode 0700) before anything in it is believed.

    With `group` its members may read it, and what is made in it is that group's (mode 2750). Raises NotPrivate when
    it's a link, not a directory or another user's, OSError when it is missing.
    """
    _check_owner(path, os.geteuid())
    if group is None:
        os.chmod(path, 0o700)
    else:
        os.chown(path, -1, group)
        os.chmod(path, 0o2750)  # noqa: S103  (the resident reads journals, and nobody else does)


def roots_directory(path: str) -> None:
    """See that a directory is root's (or ours) before the resident believes what is in it; it may be yet to come.

    Raises NotPrivate.
    """
    with contextlib.suppress(FileNotFoundError):
        _check_owner(path, os.geteuid(), 0)


def _check_owner(path: str, *uids: int) -> None:
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        problem = "is a link"
    elif not stat.S_ISDIR(found.st_mode):
        problem = "is not a directory"
    elif found.st_uid not in uids:
        problem = f"belongs to user {found.st_uid}, but the agent runs as user {os.geteuid()}"
    else:
        return
    raise NotPrivate(f"the state directory {path} {problem}: remove it or set NIXFLEET_STATE_DIR to another")
