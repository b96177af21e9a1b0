"""Bring the database to this version's schema: all of it or nothing, by the one process that owns the directory."""

import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from nixfleet_server.errors import ConfigError
from nixfleet_server.migrations import HEAD
from nixfleet_server.store.database import Database
from nixfleet_server.store.snapshot import file_of, snapshot

_SCRIPTS = Path(__file__).parent.parent / "migrations"


def version(database: Database) -> str | None:
    """The schema's version; None for an empty database."""

    def look(session: Any) -> str | None:
        connection = session.connection()
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)

    return database.read_now(look)


def migrate(database: Database) -> bool:
    """Migrate to HEAD in one transaction; the caller owns the directory. True if anything changed.

    What was there before is kept beside it, as `nixfleet.db.schema-0001`. Raises ConfigError when the database comes from a
    later version, Refused when there is no room to keep the old one.
    """
    found = version(database)
    if found == HEAD:
        return False
    config = alembic_config()
    if found is not None and not is_known(found):
        raise ConfigError(
            f"the database is of a later version (schema {found}, this is {HEAD}): install that version again"
        )
    if found is not None:
        file = file_of(str(database.engine.url))
        snapshot(file, file.with_name(f"{file.name}.schema-{found}"))
    with database.engine.execution_options(write=True).begin() as connection:
        upgrade(config, connection)
    return True


def is_known(found: str) -> bool:
    """Whether this version can use a database of that schema, if need be after a migration."""
    if found == HEAD:
        return True
    from alembic.script import ScriptDirectory  # only here: a start at HEAD need not hold Alembic in memory

    return found in {
        script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
    }


def upgrade(config: Any, connection: Connection) -> None:
    """Run the migrations on a connection, inside its transaction."""
    from alembic import command

    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> Any:
    """Alembic's configuration for the packaged scripts."""
    from alembic.config import Config

    config = Config(stdout=sys.stdout)  # its own default is that of the moment it was imported
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config
