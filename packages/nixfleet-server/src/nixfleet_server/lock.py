"""One owner for a data directory: whoever holds `owner.lock` may write its database schema and its logs."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nixfleet_server.errors import Busy, ConfigError


def make_data_dir(path: Path) -> None:
    """Create the data directory, for this user only. Raises ConfigError when it can't be used."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / "logs").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"NIXFLEET_DATA_DIR: can't use {path}: {error.strerror}") from None


@contextmanager
def owner(data_dir: Path, wait: float = 0.0) -> Iterator[None]:
    """Own the data directory while the context lasts. The kernel releases it when the process dies, however it dies.

    Raises Busy when another process still owns it after `wait` seconds, ConfigError when it can't be opened.
    """
    try:
        fd = os.open(data_dir / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"NIXFLEET_DATA_DIR: can't use {data_dir}: {error.strerror}") from None
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Busy(
                        f"another nixfleet-server uses {data_dir}: stop it, or choose another --data-dir"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(fd)
