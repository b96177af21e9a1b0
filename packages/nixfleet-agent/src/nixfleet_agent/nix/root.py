"""A host's files, read without following a link out of the tree they belong to, and never much of them."""

import contextlib
import os
import stat
from collections.abc import Iterator

_HOPS_MAX = 64
_READ_MAX = 256 * 1024


class Root:
    """Absolute paths of a host, as the host sees them, below `directory` (`/` for the machine itself).

    A link, or a path, that names its place in full from outside (`DIRECTORY/nix/store/…`, as Nix with a store of its own
    below the directory makes them) means the same place inside. Whatever can't be read is None: a missing file, no permission, a loop of links, text that isn't UTF-8.
    """

    def __init__(self, directory: str = "/") -> None:
        self._directory = directory.rstrip("/")

    def link(self, path: str) -> str | None:
        """What the link at this path says, as it stands there; None if it isn't a link."""
        parent, _, name = path.rpartition("/")
        place = self.resolve(parent or "/")
        if place is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            return os.readlink(self.real(f"{place.rstrip('/')}/{name}"))
        return None

    def resolve(self, path: str) -> str | None:
        """The path with all its links followed; None if it leads nowhere."""
        done: list[str] = []
        todo = self._inside(path).split("/")[::-1]
        hops = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
            if part in ("", ".", ".."):
                continue
            here = "/" + "/".join([*done, part])
            try:
                mode = os.lstat(self.real(here)).st_mode
                target = os.readlink(self.real(here)) if stat.S_ISLNK(mode) else None
            except (OSError, ValueError):
                return None
            if target is None:
                done.append(part)
                continue
            hops += 1
            if hops > _HOPS_MAX:
                return None
            if target.startswith("/"):
                done.clear()
            todo += self._inside(target).split("/")[::-1]
        return "/" + "/".join(done)

    def read(self, path: str) -> str | None:
        """A small text file's content, without blanks at its ends."""
        place = self.resolve(path)
        if place is None:
            return None
        try:
            # O_NONBLOCK: a named pipe at this place must not hold us up.
            fd = os.open(self.real(place), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError):
            return None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            with open(fd, "rb", closefd=False) as file:
                return file.read(_READ_MAX).decode().strip()
        except (OSError, ValueError):
            return None
        finally:
            os.close(fd)

    def names(self, path: str) -> list[str] | None:
        """What a directory holds, sorted; None if it can't be listed."""
        place = self.resolve(path)
        if place is None:
            return None
        try:
            return sorted(os.listdir(self.real(place)))
        except OSError:
            return None

    def changed_at(self, path: str) -> int | None:
        """When the link itself at this path was made, in ms since the epoch, whatever it leads to."""
        parent, _, name = path.rpartition("/")
        place = self.resolve(parent or "/")
        if place is None:
            return None
        try:
            return os.lstat(self.real(f"{place.rstrip('/')}/{name}")).st_mtime_ns // 1_000_000
        except OSError:
            return None

    def links(self, directory: str) -> Iterator[tuple[str, str]]:
        """Names in a directory that are links leading somewhere, each with where it leads."""
        for name in self.names(directory) or ():
            path = f"{directory}/{name}"
            if self.link(path) is not None and (target := self.resolve(path)) is not None:
                yield name, target

    def real(self, path: str) -> str:
        """Where a path of the host is for this process and the programs it starts."""
        return self._directory + path

    def _inside(self, path: str) -> str:
        outer = f"{self._directory}/"
        return path[len(outer) - 1 :] if self._directory and path.startswith(outer) else path
