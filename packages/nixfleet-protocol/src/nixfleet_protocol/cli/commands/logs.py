"""Print the output of a run."""

import sys
from argparse import ArgumentParser, Namespace

from nixfleet_protocol.cli.output import LogPrinter, Out
from nixfleet_protocol.client import Client


def arguments(parser: ArgumentParser) -> None:
    """Which run, until when, and in which form."""
    parser.add_argument("run", metavar="RUN", help="the run's id or its beginning, as in `nixfleet runs`")
    parser.add_argument("--follow", action="store_true", help="go on until the run has ended")
    parser.add_argument("--raw", action="store_true", help="exactly the bytes the program wrote, unfiltered")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Print what there is; with --follow also what comes."""
    if args.raw and out.json:
        out.say("nixfleet: --raw and --json exclude each other: bytes are not JSON")
        return 2
    run = client.get_run(args.run)
    if args.raw and not args.follow:
        for piece in client.raw_log(run.id):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return 0
    printer = LogPrinter(out, raw=args.raw)
    try:
        for record in run.follow() if args.follow else client.log(run.id):
            printer.record(record)
    except KeyboardInterrupt:
        if run.view.state != "ended":
            out.goes_on(run.id)
        return 130
    finally:
        printer.end()
    return 0
