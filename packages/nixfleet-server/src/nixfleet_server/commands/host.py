"""`host add`, `list`, `rotate`, `remove`."""

import argparse

from nixfleet_server.clock import wall_clock
from nixfleet_server.commands.change import change, duration
from nixfleet_server.commands.common import action, moment, open_store, show_json, table
from nixfleet_server.domain.fleet import CRITICALITY
from nixfleet_server.store import hosts

_ONCE = "It is shown only this once: put it into a file that only the agent can read, and name it in NIXFLEET_TOKEN_FILE."


def add(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    parser = action(actions, "add", run_add, "Add a host and print its agent's token.", json_output=True)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--criticality", choices=list(CRITICALITY), default="medium", help="decides the order (medium)"
    )
    action(actions, "list", run_list, "List the hosts.", json_output=True)
    parser = action(actions, "rotate", run_rotate, "Give a host a new token.", json_output=True)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--overlap",
        metavar="TIME",
        type=duration(0, 30 * 86_400),
        default=0,
        help="how long the old token works too, as 15m, 2h or 1d (0: not any more, its connection ends)",
    )
    parser = action(actions, "remove", run_remove, "Remove a host; the history of its runs stays.")
    parser.add_argument("name", metavar="NAME")


def run_add(args: argparse.Namespace) -> int:
    """Add a host."""
    hosts.check_name(args.name)  # before a database is made for nothing
    token = change(
        args,
        "host.add",
        lambda session: hosts.add(session, args.name, args.criticality, wall_clock()),
        subject=args.name,
        detail=args.criticality,
        may_make=True,
    )
    _show_token(args, token, "The agent's token")
    return 0


def run_rotate(args: argparse.Namespace) -> int:
    """Give a host a new token."""
    until = wall_clock() + args.overlap * 1000 if args.overlap else None
    token = change(
        args,
        "host.rotate",
        lambda session: hosts.rotate(session, args.name, until),
        subject=args.name,
        detail=f"the old token works for {args.overlap} s more",
    )
    _show_token(args, token, "The agent's new token")
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Remove a host."""
    change(args, "host.remove", lambda session: hosts.remove(session, args.name), subject=args.name)
    print(f"removed {args.name}")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """List the hosts."""
    found = open_store(args).read_now(hosts.everyone)
    if args.json:
        show_json(
            [
                {
                    "host_id": host.name,
                    "criticality": host.criticality,
                    "platform": host.platform,
                    "agent_version": host.agent_version,
                    "last_seen_at": host.last_seen_at,
                }
                for host in found
            ]
        )
    elif not found:
        print("no hosts yet; add one: nixfleet-server host add NAME")
    else:
        rows = [
            [host.name, host.criticality, host.platform, host.agent_version or "-", moment(host.last_seen_at)]
            for host in found
        ]
        table(["HOST", "CRITICALITY", "PLATFORM", "AGENT", "LAST SEEN"], rows)
    return 0


def _show_token(args: argparse.Namespace, token: str, label: str) -> None:
    if args.json:
        show_json({"host_id": args.name, "token": token})
    else:
        print(f"{label} for {args.name}:\n\n    {token}\n\n{_ONCE}")
