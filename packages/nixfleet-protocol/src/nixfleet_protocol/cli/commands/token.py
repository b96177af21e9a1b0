"""List, add and revoke API tokens."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.commands.actions import add_actions, do_action
from nixfleet_protocol.cli.commands.numbers import duration
from nixfleet_protocol.cli.output import Out, ago, ahead
from nixfleet_protocol.client import Client
from nixfleet_protocol.errors import Refused

HEAD = ("NAME", "SCOPE", "CREATED", "EXPIRES", "USED", "ID")


def arguments(parser: ArgumentParser) -> None:
    """The actions."""
    actions = add_actions(parser, {"list": show, "add": add, "revoke": revoke})
    for name in ("add", "revoke"):
        actions[name].add_argument("name", metavar="NAME", help="shown as the one who started a run")
    actions["add"].add_argument(
        "--scope", choices=("read", "operate", "admin"), default="read", help="default: read"
    )
    actions["add"].add_argument(
        "--expires", metavar="TIME", type=duration, help="when it ends, as 12h or 90d (default: never)"
    )


do = do_action


def show(args: Namespace, client: Client, out: Out) -> int:
    """List the tokens, without the tokens themselves."""
    tokens = client.tokens()
    if out.json:
        out.data({"tokens": [asdict(token) for token in tokens]})
    elif tokens:
        out.table(
            HEAD,
            (
                (
                    token.name,
                    token.scope,
                    ago(token.created_at),
                    ahead(token.expires_at) or "never",
                    ago(token.last_used_at),
                    token.id[:12],
                )
                for token in tokens
            ),
        )
    else:
        out.say("no tokens yet")
    return 0


def add(args: Namespace, client: Client, out: Out) -> int:
    """Add a token and print it."""
    made = client.add_token(args.name, args.scope, args.expires)
    if out.json:
        out.data(asdict(made))
    else:
        out.say(f"the token {made.name} (scope {made.scope}), shown only this once:")
        out.line(made.token)
    return 0


def revoke(args: Namespace, client: Client, out: Out) -> int:
    """Revoke a token; its connections end."""
    found = [token.id for token in client.tokens() if token.name == args.name]
    if not found:
        raise Refused("no such token; `nixfleet token list` shows them", status=404, code="no_such_token")
    client.revoke_token(found[0])
    if out.json:
        out.data({"revoked": args.name})
    else:
        out.say(f"revoked {args.name}")
    return 0
