"""The installed files of a pip environment, exchanged for others at once: whatever is killed meanwhile, one whole version is there.

A copy of the environment's site directory is made beside it, of links, and the new versions are put into the copy. Then the
two directories exchange their names in one step of the file system; where it doesn't know how (NFS, some others), in three
quick ones. The old one stays until the new agent has shown itself.
"""

import contextlib
import ctypes
import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Container, Iterator
from importlib.metadata import Distribution
from pathlib import Path

_BESIDE = ".nixfleet-before-"
_AT_FDCWD, _EXCHANGE = -100, 2
_UNABLE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def plain(name: str) -> str:
    """A project's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def libraries(tree: str) -> list[str]:
    """Where pip put distributions below a prefix: one directory, or `lib` and `lib64`."""
    return [
        place for place, folders, _ in os.walk(tree) if any(name.endswith(".dist-info") for name in folders)
    ]


def programs(installed: Distribution) -> str:
    """The directory of the installed agent's program, by its own list; a user's installation has one of its own."""
    for file in installed.files or ():
        if file.name == "nixfleet-agent" and ".." in file.parts:
            return os.path.realpath(os.path.dirname(str(installed.locate_file(file))))
    return os.path.dirname(sys.executable)


@contextlib.contextmanager
def beside(site: str) -> Iterator[str]:
    """A new directory beside the site directory, for as long as it is needed; those of updates that were killed go."""
    parent = os.path.dirname(site)
    for name in os.listdir(parent):
        if name.startswith(_BESIDE):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
    place = tempfile.mkdtemp(prefix=_BESIDE, dir=parent)
    try:
        yield place
    finally:
        if os.path.isdir(site):  # else it holds all there is
            shutil.rmtree(place, ignore_errors=True)


class Site:
    """The site directory `path`, the directory of its programs, and the copy in `place` that is to take its place."""

    def __init__(self, path: str, programs: str, place: str) -> None:
        """Raises OSError."""
        self._path, self._programs = path, programs
        self._copy, self._kept = os.path.join(place, "site"), os.path.join(place, "programs")
        os.mkdir(self._kept)
        with _plain_errors():
            shutil.copytree(path, self._copy, symlinks=True, copy_function=_link)
        if os.geteuid() == 0:
            for place, _, _ in os.walk(path):
                _own_as(place, os.path.join(self._copy, os.path.relpath(place, path)))

    def put(self, trial: str, names: Container[str]) -> None:
        """Put what pip installed below the prefix `trial` in place of the distributions `names`. Raises OSError; then
        nothing has changed."""
        for entry in os.listdir(self._copy):
            if entry.endswith(".dist-info") and plain(entry.split("-")[0]) in names:
                _remove(self._copy, entry)
        with _plain_errors():
            for library in libraries(trial):
                shutil.copytree(library, self._copy, symlinks=True, dirs_exist_ok=True, copy_function=_move)
        shutil.copystat(self._path, self._copy)
        fresh = self._stage(next(place for place, _, files in os.walk(trial) if "nixfleet-agent" in files))
        _sync(self._copy)
        exchange(self._copy, self._path)
        try:
            for program in fresh:
                os.replace(f"{program}.new", program)
        except OSError:
            self.restore()
            raise

    def restore(self) -> None:
        """Put the files from before back. Needs no room on the disk. Raises OSError."""
        exchange(self._copy, self._path)
        for name in os.listdir(self._kept):
            os.replace(os.path.join(self._kept, name), os.path.join(self._programs, name))

    def _stage(self, source: str) -> list[str]:
        """Keep the programs there are, and write the new ones beside them; returns where they are to be."""
        fresh = []
        for name in os.listdir(source):
            if not name.startswith("nixfleet"):
                continue
            program = os.path.join(self._programs, name)
            with contextlib.suppress(FileNotFoundError):
                _link(program, os.path.join(self._kept, name))
            shutil.copyfile(os.path.join(source, name), f"{program}.new")  # labelled as what lies there
            shutil.copymode(os.path.join(source, name), f"{program}.new")
            with open(f"{program}.new", "rb") as file:
                os.fsync(file.fileno())
            fresh.append(program)
        return fresh


def exchange(one: str, other: str) -> None:
    """Have two directories exchange their names, in one step where the system knows how. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    with contextlib.suppress(AttributeError):  # an old C library
        if sys.platform == "darwin":
            done = libc.renamex_np(first, second, _EXCHANGE)
        else:
            done = libc.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _EXCHANGE)
        if done == 0:
            return
        if ctypes.get_errno() not in _UNABLE:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), other)
    aside = f"{one}.aside"
    os.rename(other, aside)
    try:
        os.rename(one, other)
    except OSError:
        os.rename(aside, other)
        raise
    os.rename(aside, one)


def _sync(tree: str) -> None:
    """Make a tree durable, before it becomes the agent. Not all file systems: another may hang."""
    fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if sys.platform != "linux":
            os.sync()
        elif ctypes.CDLL(None, use_errno=True).syncfs(fd):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), tree)
    finally:
        os.close(fd)


def _remove(site: str, info: str) -> None:
    """Remove a distribution's files, by its own list."""
    for file in Distribution.at(Path(site, info)).files or ():
        if not file.is_absolute() and ".." not in file.parts:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(site, file))
    shutil.rmtree(os.path.join(site, info), ignore_errors=True)


def _own_as(source: str, target: str) -> None:
    found = os.stat(source)
    os.chown(target, found.st_uid, found.st_gid)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _move(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)  # a link of a file in use, never to be written into
    shutil.move(source, target)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """`shutil` gathers what went wrong with many files; one of them says it."""
    try:
        yield
    except shutil.Error as error:
        first = error.args[0][0] if error.args and error.args[0] else ("", "", error)
        raise OSError(errno.EIO, str(first[-1])[:300], str(first[0])) from None
