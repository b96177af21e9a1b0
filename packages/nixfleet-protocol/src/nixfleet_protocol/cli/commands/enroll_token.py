"""Make a one-time token that lets one agent in and adds its host."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.commands.numbers import duration
from nixfleet_protocol.cli.output import Out, ahead
from nixfleet_protocol.client import Client


def arguments(parser: ArgumentParser) -> None:
    """For whom, and how long."""
    parser.add_argument("--host", metavar="NAME", help="the only name it may take")
    parser.add_argument(
        "--expires", metavar="TIME", type=duration, default=3600, help="as 15m, 1h or 2d (default: 1h)"
    )


def do(args: Namespace, client: Client, out: Out) -> int:
    """Make it, and say what to run on the host."""
    made = client.add_enroll_token(args.host, args.expires)
    if out.json:
        out.data(asdict(made))
        return 0
    out.say(f"ends in {ahead(made.expires_at)}, shown only this once; on the host run:")
    out.line(f"nixfleet-agent enroll {client.settings.url} {made.token}")
    return 0
