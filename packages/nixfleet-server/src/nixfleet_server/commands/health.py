"""`health`."""

import argparse
import http.client
import json
import sys

from nixfleet_server.address import Address
from nixfleet_server.commands.common import complete, settings_of
from nixfleet_server.errors import ConfigError

TIMEOUT = 5.0
"""Seconds to wait: the server itself gives its parts 2."""
NO_CONNECTION = 3
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what listens everywhere is asked here


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run)
    parser.add_argument("--listen", metavar="HOST:PORT", help="where the server listens (NIXFLEET_LISTEN)")


def run(args: argparse.Namespace) -> int:
    """Ask. Exit code 0 ready, 1 not ready, 3 nothing answers."""
    listen = settings_of(args).listen
    if listen.port == 0:
        raise ConfigError("NIXFLEET_LISTEN: port 0 is a free one that only the server knows: give the port")
    try:
        status, body = ask(listen)
    except (OSError, http.client.HTTPException) as error:
        print(f"nixfleet-server: nothing answers at {listen}: {error}", file=sys.stderr)
        return NO_CONNECTION
    if status == 200:
        print("ready")
        return 0
    print(f"nixfleet-server: not ready: {_reasons(body) or f'HTTP {status}'}", file=sys.stderr)
    return 1


def ask(listen: Address) -> tuple[int, bytes]:
    """Status and body of `/readyz` of the server that listens there. Raises OSError or HTTPException."""
    where = Address(_ANY.get(listen.host, listen.host), listen.port)
    connection = http.client.HTTPConnection(where.host, where.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(64 * 1024)
    finally:
        connection.close()


def _reasons(body: bytes) -> str:
    try:
        return ", ".join(json.loads(body)["reasons"])
    except (ValueError, KeyError, TypeError):
        return ""
