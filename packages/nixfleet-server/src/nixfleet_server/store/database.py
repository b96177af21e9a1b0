"""The database connection: SQLite in WAL mode, one connection, one thread, off the event loop."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session

from nixfleet_server.errors import ConfigError, Damaged

T = TypeVar("T")
BUSY_TIMEOUT_MS = 10_000
"""How long one process waits for another's transaction; ours take milliseconds."""

_DAMAGE = ("malformed", "not a database", "disk is full", "disk I/O error", "readonly database")


def make_engine(url: str) -> Engine:
    """An engine with a single connection, usable from one thread at a time."""
    engine = create_engine(
        url,
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transaction handling commits around DDL and begins deferred ones: both lose under concurrency.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when another process wrote in between.
    connection.exec_driver_sql(
        "BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN"
    )


class Database:
    """Runs functions on the store's thread, each in a transaction of its own."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self._reader = self.engine.execution_options(write=False)
        self._writer = self.engine.execution_options(write=True)
        self.waiting = 0
        """Pieces of work handed over and not done."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` off the event loop in a reading transaction."""
        return await self._hand_over(self.read_now, work)

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` off the event loop; its changes are on disk when this returns."""
        return await self._hand_over(self.write_now, work)

    async def _hand_over(self, do: Callable[[Callable[[Session], T]], T], work: Callable[[Session], T]) -> T:
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, do, work)
        finally:
            self.waiting -= 1

    def read_now(self, work: Callable[[Session], T]) -> T:
        """The same, here and now: for commands, not for the server."""
        with Session(self._reader, expire_on_commit=False) as session, session.begin():
            return work(session)

    def write_now(self, work: Callable[[Session], T]) -> T:
        """The same, here and now: for commands, not for the server."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            return work(session)

    async def version(self) -> int:
        """A number that changes when another process has changed the database."""
        return await self.read(
            lambda session: int(session.connection().exec_driver_sql("PRAGMA data_version").scalar_one())
        )

    def close(self) -> None:
        """Finish what is under way and close."""
        self._thread.shutdown()
        self.engine.dispose()


def is_damage(error: BaseException) -> bool:
    """Whether it is the database's or the disk's state, which people can mend, and not how it was asked."""
    return any(words in str(error) for words in _DAMAGE)


def open_database(url: str) -> Database:
    """Open the database. Raises ConfigError when there is none to be had at that place, Damaged when it can't be used."""
    database = Database(url)
    try:
        database.read_now(lambda session: session.connection().exec_driver_sql("PRAGMA schema_version"))
    except (DatabaseError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        database.close()
        kind = Damaged if is_damage(error) else ConfigError
        raise kind(f"NIXFLEET_DATABASE_URL: can't open {url}: {reason}") from None
    return database
