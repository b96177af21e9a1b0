"""`migrate`."""

import argparse

from nixfleet_server.commands.common import complete, settings_of
from nixfleet_server.lock import make_data_dir, owner
from nixfleet_server.migrations import HEAD
from nixfleet_server.store.database import open_database
from nixfleet_server.store.schema import migrate, version


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run)


def run(args: argparse.Namespace) -> int:
    """Migrate, all or nothing. Refuses while a server that needs it runs."""
    settings = settings_of(args)
    make_data_dir(settings.data_dir)
    database = open_database(settings.database)
    if version(database) != HEAD:
        with owner(settings.data_dir):
            migrate(database)
        print(f"migrated to schema {HEAD}")
    else:
        print(f"nothing to do: the database is at schema {HEAD}")
    return 0
