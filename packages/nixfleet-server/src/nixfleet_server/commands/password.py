"""`hash-password`."""

import argparse
import getpass
import sys

from nixfleet_server.auth.passwords import hash_password
from nixfleet_server.errors import ConfigError


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--scheme", choices=["argon2id", "bcrypt"], default="argon2id", help="argon2id (default) or bcrypt"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the hash."""
    try:
        print(hash_password(_ask(), args.scheme))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return 0


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ValueError("the two are not the same; nothing was hashed")
    return password
