"""`reset-login`."""

import argparse
import sys

from nixfleet_server.clock import wall_clock
from nixfleet_server.commands.change import change
from nixfleet_server.commands.common import complete, settings_of, show_json
from nixfleet_server.settings import Settings, variable
from nixfleet_server.store import login


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run, json_output=True)


def run(args: argparse.Namespace) -> int:
    """Forget password, second factor, recovery codes and sessions that are in the database; print a set-up link."""
    settings = settings_of(args)
    code = change(args, "login.reset", lambda db: login.reset(db, wall_clock()))
    kept = [variable(name) for name in ("password_hash", "totp_secret") if getattr(settings, name)]
    for name in kept:
        print(
            f"nixfleet-server: {name} is set and goes on to hold: change it there too, and restart the server",
            file=sys.stderr,
        )
    link = f"{where(settings)}/setup#{code}" if settings.password_hash is None else None
    if args.json:
        show_json({"link": link})
    elif link:
        print(f"Every session has ended. Set a new password here, once, within 24 hours:\n\n    {link}")
    else:
        print("Every session has ended.")
    return 0


def where(settings: Settings) -> str:
    """The server's address for a browser on this machine, or the public one."""
    return settings.base_url or f"http://{settings.listen}"
