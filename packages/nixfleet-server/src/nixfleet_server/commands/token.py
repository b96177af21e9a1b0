"""`token add`, `list`, `revoke`: access for scripts and the command line."""

import argparse

from nixfleet_protocol.encode import to_dict
from nixfleet_server.auth.tokens import SCOPES
from nixfleet_server.clock import wall_clock
from nixfleet_server.commands.change import change, duration
from nixfleet_server.commands.common import action, moment, open_store, show_json, table
from nixfleet_server.store import access


def add(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    parser = action(actions, "add", run_add, "Add an API token and print it.", json_output=True)
    parser.add_argument("name", metavar="NAME", help="shown as the one who started a run")
    parser.add_argument(
        "--scope", choices=list(SCOPES), default="operate", help="read, operate (default) or admin"
    )
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=duration(60, 10 * 366 * 86_400),
        help="when it ends, as 12h or 90d (never)",
    )
    action(actions, "list", run_list, "List the API tokens, without the tokens themselves.", json_output=True)
    for name in ("revoke", "remove"):
        parser = action(actions, name, run_remove, "Take an API token away; its open connections end.")
        parser.add_argument("name", metavar="NAME")


def run_add(args: argparse.Namespace) -> int:
    """Add a token."""
    now = wall_clock()
    until = now + args.expires * 1000 if args.expires else None
    token = change(
        args,
        "token.add",
        lambda db: access.add_token(db, args.name, args.scope, now, until),
        subject=args.name,
        detail=args.scope,
        may_make=True,
    )
    if args.json:
        show_json({"token": token})
    else:
        print(
            f"The token {args.name} (scope {args.scope}):\n\n    {token}\n\nIt is shown only this once; use it as NIXFLEET_TOKEN."
        )
    return 0


def run_list(args: argparse.Namespace) -> int:
    """List the tokens."""
    found = open_store(args).read_now(access.tokens)
    if args.json:
        show_json([to_dict(row, full=True) for row in found])
    elif not found:
        print("no tokens yet; add one: nixfleet-server token add NAME")
    else:
        rows = [
            [
                row.name,
                row.scope,
                moment(row.created_at),
                moment(row.expires_at),
                moment(row.last_used_at),
            ]
            for row in found
        ]
        table(["NAME", "SCOPE", "CREATED", "EXPIRES", "LAST USED"], rows)
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Take a token away."""
    name = change(args, "token.revoke", lambda db: access.remove_token(db, args.name), subject=args.name)
    print(f"revoked {name}")
    return 0
