"""Show, add, change and remove one host, or give it a new token."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.commands.actions import add_actions, do_action
from nixfleet_protocol.cli.commands.numbers import duration
from nixfleet_protocol.cli.output import Out, ago
from nixfleet_protocol.client import Client, HostView
from nixfleet_protocol.messages.fleet import HostToken

CRITICALITY = ("high", "medium", "low")


def arguments(parser: ArgumentParser) -> None:
    """The actions."""
    functions = {"show": show, "add": add, "set": change, "rotate": rotate, "remove": remove}
    actions = add_actions(parser, functions)
    for action in actions.values():
        action.add_argument("host", metavar="HOST", help="the host's name, as in `nixfleet hosts`")
    for name in ("add", "set"):
        actions[name].add_argument("--criticality", choices=CRITICALITY, help="decides the order")
        actions[name].add_argument("--notes", metavar="TEXT", help="your own words about it")
    actions["rotate"].add_argument(
        "--overlap",
        metavar="TIME",
        type=duration,
        default=86_400,
        help="how long the old token works too, as 15m, 2h or 0 (default: 1d)",
    )


do = do_action


def show(args: Namespace, client: Client, out: Out) -> int:
    """Show all that is known of a host."""
    host = client.host(args.host)
    if out.json:
        out.data(asdict(host))
    else:
        out.fields(_told(host))
    return 0


def add(args: Namespace, client: Client, out: Out) -> int:
    """Add a host and print its agent's token."""
    made = client.add_host(args.host, args.criticality or "medium", args.notes or "")
    return _token(made, out, "The agent's token")


def change(args: Namespace, client: Client, out: Out) -> int:
    """Change a host's criticality or notes."""
    host = client.change_host(args.host, criticality=args.criticality, notes=args.notes)
    if out.json:
        out.data(asdict(host))
    return 0


def rotate(args: Namespace, client: Client, out: Out) -> int:
    """Give a host a new token and print it."""
    return _token(client.rotate_host_token(args.host, args.overlap), out, "The agent's new token")


def remove(args: Namespace, client: Client, out: Out) -> int:
    """Remove a host; its runs under way end as `lost`, its history stays."""
    client.remove_host(args.host)
    if out.json:
        out.data({"removed": args.host})
    else:
        out.say(f"removed {args.host}")
    return 0


def _token(made: HostToken, out: Out, label: str) -> int:
    if out.json:
        out.data(asdict(made))
    else:
        out.say(f"{label} for {made.host_id}, shown only this once:")
        out.line(made.token)
    return 0


def _told(host: HostView) -> list[tuple[str, str | None]]:
    facts, run = host.facts, host.last_run
    return [
        ("host", host.host_id),
        ("state", f"{host.presence}{', two agents take turns' if host.flapping else ''}"),
        ("seen", ago(host.last_seen_at)),
        ("criticality", host.criticality),
        ("notes", host.notes),
        ("platform", host.platform),
        ("agent", f"{host.agent_version or '-'}, protocol {host.protocol or '-'}"),
        ("can", " ".join(host.commands)),
        ("system", facts.os if facts else None),
        ("generation", facts.generation if facts else None),
        ("commit", facts.commit if facts else None),
        ("last run", f"{run.command} {run.result or run.state} {run.run_id}" if run else None),
        ("waiting", str(host.queued)),
        ("availability", None if host.availability is None else f"{host.availability:.2f} %"),
        ("added", ago(host.created_at)),
    ]
