"""Commands that have actions, as `nixfleet host add`."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Mapping

from nixfleet_protocol.cli.output import Out
from nixfleet_protocol.client import Client

Action = Callable[[Namespace, Client, Out], int]


def add_actions(parser: ArgumentParser, functions: Mapping[str, Action]) -> dict[str, ArgumentParser]:
    """Add them, each described by its docstring; gives their parsers, for arguments of their own."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    made = {}
    for name, function in functions.items():
        text = (function.__doc__ or "").partition("\n")[0]
        made[name] = actions.add_parser(name, help=text, description=text)
        made[name].add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON")
        made[name].set_defaults(action=function)
    return made


def do_action(args: Namespace, client: Client, out: Out) -> int:
    """Do the action that was asked for."""
    code: int = args.action(args, client, out)
    return code
