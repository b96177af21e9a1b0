"""Start a command on a host, or on several, and wait for its end.

Exit code 0 means that the run's result is `ok`; the run's own exit code is in --json.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Any

from nixfleet_protocol.cli.commands import many
from nixfleet_protocol.cli.commands.numbers import seconds, whole
from nixfleet_protocol.cli.output import ID_SHOWN, LogPrinter, Out
from nixfleet_protocol.client import Client, NotConnected
from nixfleet_protocol.states import COMMANDS, GOOD_RESULTS

OPTIONS = ("ref", "timeout", "reason", "generation", "force", "queue", "expires")


def arguments(parser: ArgumentParser) -> None:
    """What to run where, and how long to stay."""
    parser.add_argument("host", metavar="HOST", nargs="+", help="names of hosts, as in `nixfleet hosts`")
    parser.add_argument("command", metavar="COMMAND", help=", ".join(COMMANDS))
    stay = parser.add_mutually_exclusive_group()
    stay.add_argument("--follow", action="store_true", help="show the output as it comes")
    stay.add_argument("--detach", action="store_true", help="print the run's id and return at once")
    parser.add_argument("--ref", metavar="REF", help="branch, tag or commit instead of the configured branch")
    parser.add_argument("--timeout", metavar="S", type=seconds, help="end the run after S seconds")
    parser.add_argument(
        "--generation", metavar="N", type=whole, help="rollback: the one to return to; check: to compare"
    )
    parser.add_argument("--force", action="store_true", help="also to a system that was rolled back before")
    parser.add_argument("--queue", action="store_true", help="wait for a host that is offline or busy")
    parser.add_argument("--expires", metavar="S", type=seconds, help="with --queue: wait at most S seconds")
    parser.add_argument("--reason", metavar="TEXT", help="why, for the record")
    parser.add_argument("--key", metavar="TEXT", help="sent again with the same key it starts nothing new")
    several = parser.add_argument_group("several hosts")
    several.add_argument(
        "--concurrency", metavar="N", type=whole, default=0, help="at most N at a time (default: all)"
    )
    several.add_argument("--stop-on-failure", action="store_true", help="after one fails begin no more")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Start, stay as asked, and tell the outcome."""
    options = {name: getattr(args, name) for name in OPTIONS}
    if len(args.host) > 1:
        return _many(args, client, out, options)
    run = client.run(args.host[0], args.command, key=args.key, **options)
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


def _many(args: Namespace, client: Client, out: Out, options: dict[str, Any]) -> int:
    if args.follow:
        out.say("nixfleet: --follow shows one host; for several leave it out, and see `nixfleet logs`")
        return 2
    bulk = client.run_many(
        args.host,
        args.command,
        concurrency=args.concurrency,
        stop_on_failure=args.stop_on_failure,
        key=args.key,
        **options,
    )
    if args.detach:
        out.data(asdict(bulk)) if out.json else out.line(bulk.bulk_id)
        return 0
    if not out.json:
        out.say(f"{bulk.command} on {len(bulk.items)} hosts: started as bulk {bulk.bulk_id}")
    code = many.wait(client, bulk, out)
    if out.json:
        out.data(asdict(client.bulk(bulk.bulk_id)))
    return code
