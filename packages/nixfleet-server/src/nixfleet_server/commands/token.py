"""`token add`, `list`, `remove`: access for scripts and the command line."""

import argparse

from nixfleet_server.auth.tokens import SCOPES
from nixfleet_server.clock import wall_clock
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
    action(actions, "list", run_list, "List the API tokens, without the tokens themselves.", json_output=True)
    parser = action(actions, "remove", run_remove, "Take an API token away; its open connections end.")
    parser.add_argument("name", metavar="NAME")


def run_add(args: argparse.Namespace) -> int:
    """Add a token."""
    token = open_store(args, may_make=True).write_now(
        lambda db: access.add_token(db, args.name, args.scope, wall_clock())
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
        show_json([{"name": row.name, "scope": row.scope, "created_at": row.created_at} for row in found])
    elif not found:
        print("no tokens yet; add one: nixfleet-server token add NAME")
    else:
        table(["NAME", "SCOPE", "CREATED"], [[row.name, row.scope, moment(row.created_at)] for row in found])
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Take a token away."""
    open_store(args).write_now(lambda db: access.remove_token(db, args.name))
    print(f"removed {args.name}")
    return 0
