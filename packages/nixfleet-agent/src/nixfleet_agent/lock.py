"""Locks that die with their holder: flock on a file that says who holds it."""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nixfleet_agent.config import Config


class Held(Exception):
    """Another process holds the lock. `holder` is what it wrote about itself, perhaps empty."""

    def __init__(self, holder: dict[str, Any]) -> None:
        super().__init__(f"held by process {holder.get('pid', 'unknown')}")
        self.holder = holder


class Lock:
    """An exclusive lock, held until `release` or the end of this process. Its descriptor isn't inherited."""

    def __init__(self, path: str, about: dict[str, Any] | None = None, *, mode: int = 0o640) -> None:
        """Take it at once. Raises Held when another holds it, OSError when the file can't be made."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            _take(self._fd)
        except OSError as error:
            holder = _about(os.pread(self._fd, 4096, 0))
            os.close(self._fd)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise Held(holder) from None
            raise
        self.describe({"pid": os.getpid(), **(about or {})})

    def describe(self, about: dict[str, Any]) -> None:
        """Say who holds it, for whoever is refused."""
        data = json.dumps(about).encode()
        os.pwrite(self._fd, data, 0)
        os.ftruncate(self._fd, len(data))

    def release(self) -> None:
        os.close(self._fd)


def is_held(path: str) -> bool:
    """Whether a living process holds the lock. A file that doesn't exist is not held.

    The file may be a stranger's: a pipe in its place is not waited for, a link not followed.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)


@contextlib.contextmanager
def exclusive(config: "Config", check: Callable[[], None]) -> Iterator[None]:
    """Only one process works on the repository at a time; `check` is called while waiting and may raise."""
    fd = os.open(os.path.join(config.state_dir, "repo.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                check()
                time.sleep(0.05)
        yield
    finally:
        os.close(fd)


def _take(fd: int) -> None:
    """Lock, with a second and third try: `is_held` of another process may hold it for an instant."""
    for pause in (0.01, 0.05, None):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if pause is None:
                raise
            time.sleep(pause)
        else:
            return


def _about(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
