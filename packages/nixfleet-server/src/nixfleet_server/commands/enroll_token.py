"""`enroll-token`."""

import argparse

from nixfleet_protocol.encode import to_dict
from nixfleet_server.clock import wall_clock
from nixfleet_server.commands.change import change, duration
from nixfleet_server.commands.common import complete, moment, settings_of, show_json
from nixfleet_server.store import enroll, hosts


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run, json_output=True)
    parser.add_argument("--host", metavar="NAME", help="the only name it may take")
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=duration(60, 30 * 86_400),
        default=3600,
        help="as 15m, 1h or 2d (1h)",
    )


def run(args: argparse.Namespace) -> int:
    """Make a token."""
    if args.host is not None:
        hosts.check_name(args.host)
    now = wall_clock()
    made = change(
        args,
        "enroll-token.add",
        lambda db: enroll.add(db, args.host, now, now + args.expires * 1000),
        subject=args.host or "",
        may_make=True,
    )
    if args.json:
        show_json(to_dict(made, full=True))
        return 0
    url = settings_of(args).base_url or "URL"
    print(
        f"Lets one agent in, until {moment(made.expires_at)}. On the host:\n\n"
        f"    nixfleet-agent enroll {url} {made.token}\n\nIt is shown only this once."
    )
    return 0
