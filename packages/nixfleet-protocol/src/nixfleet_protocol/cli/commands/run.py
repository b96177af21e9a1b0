"""Start a command on a host and wait for its end.

Exit code 0 means that the run's result is `ok`; the run's own exit code is in --json.
"""

from argparse import ArgumentParser, Namespace

from nixfleet_protocol.cli.commands.numbers import seconds
from nixfleet_protocol.cli.output import ID_SHOWN, LogPrinter, Out
from nixfleet_protocol.client import Client, NotConnected
from nixfleet_protocol.states import COMMANDS, GOOD_RESULTS


def arguments(parser: ArgumentParser) -> None:
    """What to run where, and how long to stay."""
    parser.add_argument("host", metavar="HOST", help="the host's name, as in `nixfleet hosts`")
    parser.add_argument("command", metavar="COMMAND", help=", ".join(COMMANDS))
    stay = parser.add_mutually_exclusive_group()
    stay.add_argument("--follow", action="store_true", help="show the output as it comes")
    stay.add_argument("--detach", action="store_true", help="print the run's id and return at once")
    parser.add_argument("--ref", metavar="REF", help="branch, tag or commit instead of the configured branch")
    parser.add_argument("--timeout", metavar="S", type=seconds, help="end the run after S seconds")
    parser.add_argument("--reason", metavar="TEXT", help="why, for the record")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Start, stay as asked, and tell the outcome."""
    options = {name: getattr(args, name) for name in ("ref", "timeout", "reason")}
    run = client.run(args.host, args.command, **options)
    if args.detach:
        out.run(run.view) if out.json else out.line(run.id)
        return 0
    if not out.json:
        out.say(f"{run.view.host_id} {run.view.command}: started as run {run.id[:ID_SHOWN]}")
    try:
        if args.follow:
            printer = LogPrinter(out)
            try:
                for record in run.follow():
                    printer.record(record)
            finally:
                printer.end()
        view = run.wait()
    except KeyboardInterrupt:
        out.goes_on(run.id)
        return 130
    except NotConnected:
        out.goes_on(run.id)
        raise
    out.run(view) if out.json else out.outcome(view, details=not args.follow)
    return 0 if view.result in GOOD_RESULTS else 1
