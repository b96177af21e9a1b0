"""`serve`."""

import argparse

from nixfleet_server import logging
from nixfleet_server.commands.common import complete, settings_of
from nixfleet_server.serve import serve


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run)
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where to listen; port 0 takes a free one (NIXFLEET_LISTEN)"
    )

    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=0.0,
        help="listen at once, and wait so long for another server on this data to leave: an upgrade without a gap",
    )


def run(args: argparse.Namespace) -> int:
    """Serve."""
    settings = settings_of(args)
    logging.configure(settings.log_level, settings.log_format)
    return serve(settings, args.wait)
