"""`serve`."""

import argparse
from typing import Any

from nixfleet_server import logging
from nixfleet_server.commands.common import command, settings_of


def add(subparsers: Any) -> None:
    """Add the command."""
    parser = command(subparsers, "serve", run, "Run the server until it is told to stop (SIGTERM, Ctrl-C).")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where to listen; port 0 takes a free one (NIXFLEET_LISTEN)"
    )


def run(args: argparse.Namespace) -> int:
    """Serve."""
    settings = settings_of(args)
    logging.configure(settings.log_level, settings.log_format)
    from nixfleet_server.serve import serve  # the other commands start without all of it

    return serve(settings)
