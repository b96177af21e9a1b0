"""Arguments in, exit code out: one place where errors become sentences and codes."""

import argparse
import os
import sys

from nixfleet_protocol.__about__ import __version__
from nixfleet_protocol.cli.commands import audit, enroll_token, host, hosts, logs, run, runs, stop, token
from nixfleet_protocol.cli.output import Out
from nixfleet_protocol.cli.terminal import clean
from nixfleet_protocol.client import Client, Settings
from nixfleet_protocol.errors import Misconfigured, NixFleetError, NotAllowed, NotConnected, Refused

COMMANDS = (hosts, host, run, runs, logs, stop, enroll_token, token, audit)

DONE, FAILED, WRONG, UNREACHABLE, FORBIDDEN, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 4, 130, 141
EXIT_CODES: tuple[tuple[type[NixFleetError], int], ...] = (
    (Misconfigured, WRONG),
    (NotConnected, UNREACHABLE),
    (NotAllowed, FORBIDDEN),
    (Refused, FAILED),
    (NixFleetError, UNREACHABLE),
)
USAGE_STATUS = (400, 404, 422)
"""HTTP statuses that mean the command line named something wrong: exit code 2."""

EPILOG = """\
exit codes:
  0 done   1 the thing asked for failed   2 wrong usage or configuration
  3 no connection   4 not allowed   130 interrupted (the run goes on)

environment:
  NIXFLEET_URL          the server, as https://fleet.example.org
  NIXFLEET_TOKEN        an API token, or NIXFLEET_TOKEN_FILE: a file that holds it
  NIXFLEET_CA_FILE      certificates to trust instead of the system's
  NIXFLEET_ALLOW_PLAIN_HTTP=1   allow http:// to another machine
  NO_COLOR              no colours
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit code; never raises for what a user can cause."""
    try:
        args = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong, or printed the help
        return int(end.code or 0)
    out = Out(json=args.json)
    try:
        settings = Settings.resolve(args.url, ca_file=args.ca_file, token_file=args.token_file)
        with Client(settings=settings, on_trouble=out.trouble) as client:
            code: int = args.do(args, client, out)
        sys.stdout.flush()
    except NixFleetError as error:
        out.say(f"nixfleet: {clean(str(error))}")
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output left, as `head` does. Python must not trip over it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:  # of our own output: the client's are NixFleetErrors
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        out.say(f"nixfleet: can't write the output: {error.strerror or error}")
        return FAILED
    return code


def exit_code(error: NixFleetError) -> int:
    """The code that stands for an error."""
    if isinstance(error, Refused) and error.status in USAGE_STATUS:
        return WRONG
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nixfleet",
        description="See and command a NixFleet fleet.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common()],
    )
    parser.set_defaults(url=None, token_file=None, ca_file=None, json=False)
    parser.add_argument("--version", action="version", version=f"nixfleet {__version__}")
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        text = (command.__doc__ or "").partition("\n")[0]
        sub = subcommands.add_parser(name, help=text, description=text, parents=[_common()])
        sub.add_argument("--version", action="version", version=f"nixfleet {__version__}")
        command.arguments(sub)
        sub.set_defaults(do=command.do)
    return parser


def _common() -> argparse.ArgumentParser:
    """Options that may stand before and after the command's name; only those given leave a trace."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--url", metavar="URL", help="the server (else NIXFLEET_URL)")
    common.add_argument("--token-file", metavar="FILE", help="file with the API token (else NIXFLEET_TOKEN…)")
    common.add_argument("--ca-file", metavar="FILE", help="certificates to trust (else NIXFLEET_CA_FILE)")
    common.add_argument("--json", action="store_true", help="print JSON; one object a line while following")
    return common
