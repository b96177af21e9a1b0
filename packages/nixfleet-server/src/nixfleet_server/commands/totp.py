"""`totp`: the second factor, from the server's own machine."""

import argparse
import sys

from sqlmodel import Session as Db

from nixfleet_server.auth import second
from nixfleet_server.auth.login import InForce, in_force
from nixfleet_server.clock import wall_clock
from nixfleet_server.commands.change import change
from nixfleet_server.commands.common import complete, open_store, settings_of, show_json
from nixfleet_server.errors import ConfigError, Refused
from nixfleet_server.store import login


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run, json_output=True)
    what = parser.add_mutually_exclusive_group()
    for name, function, text in (
        ("--status", status, "say whether there is a second factor, and where it is set"),
        ("--print", show_new, "print a new secret for NIXFLEET_TOTP_SECRET; nothing is stored"),
        ("--remove", remove, "turn the second factor off"),
        ("--recovery-codes", codes, "make new recovery codes; those before work no more"),
    ):
        what.add_argument(name, dest="what", action="store_const", const=function, help=text)


def run(args: argparse.Namespace) -> int:
    """Turn the second factor on, or what was asked for instead."""
    result: int = (args.what or turn_on)(args)
    return result


def turn_on(args: argparse.Namespace) -> int:
    """Make a secret, show it, and believe it when a code made with it comes back."""
    found, _ = _state(args)
    _not_environment(found)
    if found.totp_secret is not None:
        raise Refused("there is a second factor already; nixfleet-server totp --remove turns it off")
    secret = second.new_secret()
    _show(secret)
    print("\nThe code that it shows now: ", end="", file=sys.stderr, flush=True)
    code = sys.stdin.readline().strip()
    step = second.step_of(code, secret, wall_clock())
    if step is None:
        raise Refused("this is not the code; nothing was changed. Is the clock right, here and there?")
    made = second.new_recovery_codes()
    hashes = tuple(map(second.recovery_hash, made))

    def put(db: Db) -> None:
        login.put_totp(db, secret, step, hashes)

    change(args, "totp.confirm", put)
    return _show_codes(args, made, "The second factor is on.")


def status(args: argparse.Namespace) -> int:
    """Say how it stands."""
    found, stored = _state(args)
    if args.json:
        show_json({"totp": found.totp_from, "recovery_codes": len(stored.recovery)})
    else:
        print(f"second factor: {found.totp_from}; recovery codes left: {len(stored.recovery)}")
    return 0


def show_new(args: argparse.Namespace) -> int:
    """Print a secret."""
    secret = second.new_secret()
    if args.json:
        show_json({"secret": secret, "uri": second.uri(secret, "NixFleet")})
    else:
        _show(secret)
        print(secret)
    return 0


def remove(args: argparse.Namespace) -> int:
    """Turn it off."""
    found, _ = _state(args)
    _not_environment(found)
    if found.totp_secret is None:
        raise Refused("there is no second factor")
    change(args, "totp.remove", login.drop_totp)
    print("the second factor is off")
    return 0


def codes(args: argparse.Namespace) -> int:
    """Make recovery codes."""
    found, _ = _state(args)
    if found.totp_secret is None:
        raise Refused("there is no second factor; nixfleet-server totp turns one on")
    made = second.new_recovery_codes()
    change(args, "totp.recovery", lambda db: login.put_recovery(db, tuple(map(second.recovery_hash, made))))
    return _show_codes(args, made, "New recovery codes; those before work no more.")


def _state(args: argparse.Namespace) -> tuple[InForce, login.Stored]:
    stored = open_store(args).read_now(login.load)
    return in_force(settings_of(args), stored), stored


def _not_environment(found: InForce) -> None:
    if found.totp_from == "environment":
        raise ConfigError("NIXFLEET_TOTP_SECRET is set: change it there, and restart the server")


def _show(secret: str) -> None:
    import segno

    uri = second.uri(secret, "NixFleet")
    if sys.stderr.isatty():
        segno.make(uri, error="l", micro=False).terminal(out=sys.stderr, compact=True)
    print(f"Add this to your authenticator:\n\n    {uri}\n\n    secret: {secret}", file=sys.stderr)


def _show_codes(args: argparse.Namespace, made: tuple[str, ...], text: str) -> int:
    if args.json:
        show_json({"recovery_codes": made})
    else:
        lines = "\n".join(f"    {code}" for code in made)
        print(f"{text} Each of these works once instead of a code; keep them somewhere else:\n\n{lines}")
    return 0
