"""Migrations: they agree with the tables, and happen whole or not at all."""

from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from nixfleet_server.errors import ConfigError
from nixfleet_server.migrations import HEAD
from nixfleet_server.store import runs, schema
from nixfleet_server.store.database import Database, open_database


def tables(database: Database) -> list[str]:
    return database.read_now(lambda session: inspect(session.connection()).get_table_names())


def test_the_migrations_make_the_tables_that_the_code_expects(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/a.db")
    assert schema.migrate(database) is True
    assert schema.migrate(database) is False
    config = schema.alembic_config()
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)
    database.close()


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(schema.alembic_config()).get_current_head() == HEAD


def test_a_failed_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = open_database(f"sqlite:///{tmp_path}/a.db")
    real = schema.upgrade

    def crash(config: object, connection: object) -> None:
        real(config, connection)  # type: ignore[arg-type]
        raise RuntimeError("power loss")

    monkeypatch.setattr(schema, "upgrade", crash)
    with pytest.raises(RuntimeError):
        schema.migrate(database)
    assert tables(database) == []
    database.close()


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/a.db")
    schema.migrate(database)
    database.write_now(
        lambda s: s.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    )
    with pytest.raises(ConfigError, match="later version"):
        schema.migrate(database)
    database.close()


def test_the_database_is_set_up_to_keep_what_it_was_given(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/a.db")

    def pragmas(session: object) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [session.connection().exec_driver_sql(f"PRAGMA {n}").scalar() for n in names]  # type: ignore[attr-defined]

    assert database.read_now(pragmas) == ["wal", 2, 1]
    database.close()


def test_a_database_of_each_released_version_migrates_and_keeps_its_runs(tmp_path: Path) -> None:
    """0.1.0 is schema 0001."""
    database = open_database(f"sqlite:///{tmp_path}/a.db")
    config = schema.alembic_config()
    with database.engine.execution_options(write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO run (run_id, host, command, options, state, result, message, started_by,"
                " created_at, lines) VALUES (:id, 'web1', 'switch', '{}', 'ended', 'ok', 'done', 'admin', 5, 3)"
            ),
            {"id": "0" * 32},
        )
    assert schema.migrate(database) is True
    run = database.read_now(lambda session: runs.get(session, "0" * 32))
    database.close()
    assert run is not None
    assert (run.result, run.lines, run.outcome, run.timeout_at) == ("ok", 3, None, None)
