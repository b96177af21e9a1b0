"""One file with all that the server knows, made while it serves; and back again.

A backup is a tar archive, compressed: the database first, then the logs. Logs only grow, so a log in it is never shorter
than its database says. A restore unpacks and checks everything beside the data; whoever owns the data directory then swaps
it in: the command itself, or the server that runs, which says goodbye to everyone, and goes on with the other data.
"""

import contextlib
import gzip
import os
import shutil
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import IO

from nixfleet_server.errors import Damaged, Refused
from nixfleet_server.settings import Settings
from nixfleet_server.store import schema, snapshot

DATABASE, LOGS, SECRET = "nixfleet.db", "logs", "session-secret"
STAGE, READY, REPLACED = "restoring", "ready", "replaced"
"""In the data directory: what is being restored, the mark that it is whole, and what it took the place of."""
BEGUN = "begun"
"""The mark that `replaced` holds what is being replaced now, and nothing older."""
_CHUNK = 256 * 1024
_COPY = "backup-"
"""How directories begin in which a backup under way has its copy of the database."""
_LEFT_AFTER = 24 * 3600.0
"""Seconds after which nobody can still be at it."""


def write(settings: Settings, out: IO[bytes]) -> None:
    """Write a backup. Raises Refused, OSError."""
    data = settings.data_dir.absolute()
    _clear(data)
    with tempfile.TemporaryDirectory(prefix=_COPY, dir=data) as place:
        copy = Path(place) / DATABASE
        snapshot.snapshot(snapshot.file_of(settings.database), copy)
        # Level 1: most of it is packed already.
        with (
            gzip.GzipFile("", "wb", compresslevel=1, fileobj=out) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            _add(archive, copy, DATABASE)
            if (data / SECRET).exists():
                _add(archive, data / SECRET, SECRET)
            seen: set[str] = set()
            for _ in range(2):  # again: a log may have been packed under another name meanwhile
                for path in sorted((data / LOGS).iterdir()):
                    run = path.name.partition(".")[0]
                    if (
                        path.suffix in (".log", ".gz")
                        and run not in seen
                        and _add(archive, path, f"{LOGS}/{path.name}")
                    ):
                        seen.add(run)


def _clear(data: Path) -> None:
    """Remove the copies that backups left which were killed: each is as large as the database."""
    for place in data.glob(f"{_COPY}*"):
        with contextlib.suppress(OSError):
            if time.time() - place.stat().st_mtime > _LEFT_AFTER:
                shutil.rmtree(place)


def stream(settings: Settings) -> Iterator[bytes]:
    """The same in pieces, for a client. Raises what went wrong in the middle, so that it breaks off there."""
    read, write_end = os.pipe()
    failed: list[BaseException] = []

    def work() -> None:
        with os.fdopen(write_end, "wb") as out:
            try:
                write(settings, out)
            except BaseException as error:  # noqa: BLE001 (raised in the reader's thread)
                failed.append(error)

    thread = Thread(target=work, name="backup", daemon=True)
    thread.start()
    with os.fdopen(
        read, "rb", buffering=0
    ) as source:  # who stops reading breaks the pipe, which ends the thread
        while data := source.read(_CHUNK):
            yield data
    thread.join()
    if failed:
        raise failed[0]


def stage(settings: Settings, source: Path) -> None:
    """Unpack a backup beside the data and check it. Raises Refused, leaving nothing, when it isn't one."""
    place = settings.data_dir.absolute() / STAGE
    shutil.rmtree(place, ignore_errors=True)
    try:
        place.mkdir(mode=0o700)
        _fill(place, source)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, Damaged) as error:
        shutil.rmtree(place, ignore_errors=True)
        raise Refused(f"{source} is no whole backup: {error}") from None
    except OSError as error:
        shutil.rmtree(place, ignore_errors=True)
        raise Refused(f"can't restore {source}: {error.strerror or error}") from None
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _fill(place: Path, source: Path) -> None:
    (place / LOGS).mkdir(mode=0o700)
    with tarfile.open(source, "r:gz") as archive:
        for member in archive:
            _unpack(archive, member, place)
    version = snapshot.check(place / DATABASE) if (place / DATABASE).exists() else None
    if version is None:
        raise Refused(f"{source} is no backup of a nixfleet-server: there is no database in it")
    if not schema.is_known(version):  # a server that runs would end over it
        raise Refused(
            f"{source} is of a later version (schema {version}): install that version to restore it"
        )
    os.sync()
    (place / READY).touch()
    _sync(place)


def waiting(data_dir: Path) -> bool:
    """Whether there is something to swap in."""
    return (data_dir / STAGE / READY).exists()


def swap(settings: Settings) -> bool:
    """Put what is staged into its place, and what was there into `replaced`. The caller owns the data directory and has
    no database open. True if there was anything. Each step may be done again, so a crash in between is gone on from."""
    data = settings.data_dir.absolute()
    place, old = data / STAGE, data / REPLACED
    if not waiting(data):
        shutil.rmtree(place, ignore_errors=True)  # half unpacked
        return False
    database = snapshot.file_of(settings.database)
    if (place / DATABASE).exists() and not (place / BEGUN).exists():
        shutil.rmtree(old, ignore_errors=True)
        (place / BEGUN).touch()
    old.mkdir(mode=0o700, exist_ok=True)
    if (place / DATABASE).exists():
        for end in ("-wal", "-shm", ""):  # the WAL belongs to the old file, and must not meet the new one
            if (part := Path(f"{database}{end}")).exists():
                shutil.move(part, old / f"{DATABASE}{end}")
        shutil.move(place / DATABASE, database)
    for name in (LOGS, SECRET):
        if (place / name).exists():
            aside = old / name
            while aside.exists():  # a crash came between these two steps, and the start made an empty one
                aside = aside.with_name(aside.name + "+")
            if (data / name).exists():
                (data / name).rename(aside)
            (place / name).rename(data / name)
    _sync(data)
    shutil.rmtree(place)
    return True


def wait_until_swapped(data_dir: Path, seconds: float) -> bool:
    """Whether the server that runs has taken over what is staged."""
    deadline = time.monotonic() + seconds
    while waiting(data_dir) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not waiting(data_dir)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> bool:
    """Add a file as long as it is now; False if it is gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        found = os.fstat(file.fileno())
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = found.st_size, int(found.st_mtime), 0o600
        archive.addfile(member, file)
    return True


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    """Only plain files under the names that a backup has: whoever gives us an archive writes nowhere else."""
    head, _, rest = member.name.partition("/")
    fine = member.name in (DATABASE, SECRET) or (head == LOGS and rest and "/" not in rest and rest[0] != ".")
    source = archive.extractfile(member) if fine and member.isreg() else None
    if source is None:
        raise Refused(f"it is no backup of a nixfleet-server: {member.name[:80]!r} is in it")
    target = os.open(place / member.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source, os.fdopen(target, "wb") as out:
        shutil.copyfileobj(source, out, _CHUNK)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
