"""The installed files of a pip environment, exchanged for others at once: whatever is killed meanwhile, one whole version is there.

A copy of the environment's site directory is made beside it, of links, and the new versions are put into the copy. Then the
two directories exchange their names in one step of the file system. The old one stays until the new agent has shown itself.
"""

import contextlib
import ctypes
import errno
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution
from pathlib import Path

_BESIDE = ".nixfleet-before-"
_AT_FDCWD, _EXCHANGE = -100, 2


def plain(name: str) -> str:
    """A project's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def holder(tree: str, name: str) -> str:
    """The directory in a tree that holds `name`. Raises FileNotFoundError."""
    for directory, folders, files in os.walk(tree):
        if name in folders or name in files:
            return directory
    raise FileNotFoundError(errno.ENOENT, "pip installed nothing of that name", name)


class Site:
    """The site directory `path` and, beside it, the copy that is to take its place."""

    def __init__(self, path: str, beside: str) -> None:
        self._path = path.rstrip("/")
        self._beside = beside
        self._copy = os.path.join(beside, "site")
        self._scripts = sysconfig.get_path("scripts")
        shutil.copytree(self._path, self._copy, symlinks=True, copy_function=_link)

    def put(self, trial: str, names: Iterable[str]) -> None:
        """Put what pip installed below `trial` in place of the distributions `names`. Raises OSError; then nothing has
        changed."""
        for entry in os.listdir(self._copy):
            if entry.endswith(".dist-info") and plain(entry.split("-")[0]) in names:
                _remove(self._copy, entry)
        shutil.copytree(
            holder(trial, "nixfleet_agent"),
            self._copy,
            symlinks=True,
            dirs_exist_ok=True,
            copy_function=_move,
        )
        programs = holder(trial, "nixfleet-agent")
        os.sync()  # names and contents, before what makes them the agent
        exchange(self._copy, self._path)
        try:
            self._swap_programs(programs, keep=True)
        except OSError:
            self.restore()
            raise

    def restore(self) -> None:
        """Put the files from before back. Raises OSError."""
        exchange(self._copy, self._path)
        self._swap_programs(self._beside, keep=False)

    def _swap_programs(self, source: str, *, keep: bool) -> None:
        for name in os.listdir(source):
            program = os.path.join(self._scripts, name)
            if not name.startswith("nixfleet"):
                continue
            if keep and os.path.exists(program):
                shutil.copy2(program, os.path.join(self._beside, name))
            shutil.copy2(os.path.join(source, name), f"{program}.new")
            os.replace(f"{program}.new", program)


@contextlib.contextmanager
def copied(path: str) -> Iterator[Site]:
    """The site directory with its copy. What an update that was killed left beside it is removed."""
    parent = os.path.dirname(path.rstrip("/"))
    for name in os.listdir(parent):
        if name.startswith(_BESIDE):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
    beside = tempfile.mkdtemp(prefix=_BESIDE, dir=parent)
    try:
        yield Site(path, beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


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
        number = ctypes.get_errno()
        if number not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
            raise OSError(number, os.strerror(number), one)
    aside = f"{one}.aside"
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def _remove(site: str, info: str) -> None:
    """Remove a distribution's files, by its own list."""
    for file in Distribution.at(Path(site, info)).files or ():
        if ".." not in file.parts:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(site, file))
    shutil.rmtree(os.path.join(site, info), ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _move(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)  # a link of a file in use, never to be written into
    shutil.move(source, target)
