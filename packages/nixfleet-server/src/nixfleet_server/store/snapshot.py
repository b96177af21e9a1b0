"""Whole copies of the database, made by the database itself: a copy of its files would miss what is in the WAL, and
closing such a file drops the locks of a server in the same process."""

import sqlite3
from contextlib import closing
from pathlib import Path

from nixfleet_server.errors import Damaged, Refused


def file_of(url: str) -> Path:
    """The file of a database URL."""
    return Path(url.removeprefix("sqlite:///")).absolute()


def snapshot(source: Path, target: Path) -> None:
    """Write a copy of the database as it is now, also while others write it. `target` is replaced whole, or not at all.

    Raises Refused when there is no room for it or it can't be read.
    """
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(source, timeout=10, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(temporary),))
        temporary.replace(target)
    except (sqlite3.Error, OSError) as error:
        temporary.unlink(missing_ok=True)
        raise Refused(f"can't copy the database {source} to {target}: {error}") from None


def check(file: Path) -> str | None:
    """The schema's version of a database that is whole; None if it has none. Raises Damaged."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise Damaged(f"the database {file} is damaged: {found}")
            table = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            ).fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if table else None
            return row[0] if row else None
    except sqlite3.Error as error:
        raise Damaged(f"the database {file} can't be read: {error}") from None
