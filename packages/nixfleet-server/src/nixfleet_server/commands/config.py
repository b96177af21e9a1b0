"""`config`."""

import argparse

from nixfleet_server.commands.common import complete, settings_of, show_json, table
from nixfleet_server.settings import SECRETS, Settings, variable


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run, json_output=True)
    parser.add_argument("--listen", metavar="HOST:PORT", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Show the configuration."""
    settings = settings_of(args)
    values = {variable(name): _shown(settings, name) for name in Settings.model_fields}
    if args.json:
        show_json(values)
    else:
        table(["VARIABLE", "VALUE"], [[name, value or "-"] for name, value in values.items()])
    return 0


def _shown(settings: Settings, name: str) -> str | None:
    value = getattr(settings, name)
    if name in SECRETS:
        return "(set)" if value else None
    if name == "database_url":
        return settings.database
    if isinstance(value, tuple) and name != "listen":
        return ",".join(value) or None
    return None if value is None else str(value)
