"""What the server's own specs share: the server as a process, and peers that speak to it as the real ones do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server.support import ServerProcess


@contextmanager
def served(directory: Path, **env: str) -> Iterator[ServerProcess]:
    """A server for the length of a with block."""
    server = ServerProcess(directory / "data", env=env).start()
    try:
        yield server
    finally:
        server.end()
