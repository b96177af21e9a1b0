"""Show what was done and tried, newest first: who, from where, what came of it."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.commands.numbers import whole
from nixfleet_protocol.cli.output import Out, ago
from nixfleet_protocol.client import Client

HEAD = ("WHEN", "WHO", "FROM", "ACTION", "SUBJECT", "OUTCOME", "DETAIL")


def arguments(parser: ArgumentParser) -> None:
    """How many."""
    parser.add_argument("--limit", metavar="N", type=whole, default=50, help="at most N (default: 50)")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Print them."""
    entries = client.audit(args.limit)
    if out.json:
        out.data({"entries": [asdict(entry) for entry in entries]})
    elif entries:
        out.table(
            HEAD,
            (
                (
                    ago(entry.at),
                    entry.who or "a stranger",
                    entry.address,
                    entry.action,
                    entry.subject,
                    entry.outcome,
                    entry.detail,
                )
                for entry in entries
            ),
        )
    else:
        out.say("nothing yet")
    return 0
