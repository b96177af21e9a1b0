"""`restore`."""

import argparse
from pathlib import Path

from nixfleet_server import backup
from nixfleet_server.commands.common import complete, settings_of
from nixfleet_server.errors import Busy, Refused
from nixfleet_server.lock import make_data_dir, owner

SWAP_WAIT = 60.0
"""Seconds for a server that runs to say goodbye to everyone."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run)
    parser.add_argument("file", metavar="FILE", help="what `nixfleet-server backup` wrote")


def run(args: argparse.Namespace) -> int:
    """Restore; a server that runs goes on with the restored data."""
    settings = settings_of(args)
    make_data_dir(settings.data_dir)
    backup.stage(settings, Path(args.file))
    try:
        with owner(settings.data_dir):
            backup.swap(settings)
    except Busy:
        if not backup.wait_until_swapped(settings.data_dir, SWAP_WAIT):
            raise Refused(
                "the server that runs has not taken it over yet; it does when it is restarted"
            ) from None
    print(f"restored {args.file}; what was there before is in {settings.data_dir / backup.REPLACED}")
    return 0
