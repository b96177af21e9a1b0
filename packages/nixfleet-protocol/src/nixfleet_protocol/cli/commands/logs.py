"""Print the output of a run."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.commands.numbers import whole
from nixfleet_protocol.cli.output import LogPrinter, Out
from nixfleet_protocol.cli.terminal import Cleaner, shown
from nixfleet_protocol.client import Client


def arguments(parser: ArgumentParser) -> None:
    """Which run, until when, and in which form."""
    parser.add_argument("run", metavar="RUN", help="the run's id or its beginning, as in `nixfleet runs`")
    parser.add_argument("--follow", action="store_true", help="go on until the run has ended")
    parser.add_argument(
        "--search", metavar="TEXT", help="only the records that hold the text, whatever its case"
    )
    parser.add_argument(
        "--limit", metavar="N", type=whole, default=1000, help="with --search: at most N (default: 1000)"
    )
    parser.add_argument("--raw", action="store_true", help="exactly the bytes the program wrote, unfiltered")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Print what there is; with --follow also what comes."""
    if args.raw and out.json:
        out.say("nixfleet: --raw and --json exclude each other: bytes are not JSON")
        return 2
    if args.search is not None and (args.raw or args.follow):
        out.say("nixfleet: --search goes with neither --raw nor --follow")
        return 2
    run = client.get_run(args.run)
    if args.search is not None:
        return _search(client, run.id, args, out)
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


def _search(client: Client, run_id: str, args: Namespace, out: Out) -> int:
    """Print what is found, each with its number; exit code 1 when nothing is, as grep does."""
    found = client.search(run_id, args.search, args.limit)
    if out.json:
        out.data({"run_id": run_id, "matches": [asdict(match) for match in found]})
    for match in found if not out.json else ():
        out.line(
            f"{match.seq}: {Cleaner(out.colour).feed(shown(match.line))}" + ("\x1b[0m" if out.colour else "")
        )
    return 0 if found else 1
