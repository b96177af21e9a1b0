"""End a run, or all that are left of one command on many hosts: the whole process tree, TERM first, then KILL."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.commands import many
from nixfleet_protocol.cli.output import Out
from nixfleet_protocol.client import Client, Run, RunView
from nixfleet_protocol.states import GOOD_RESULTS


def arguments(parser: ArgumentParser) -> None:
    """Which run, or which bulk."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "run", metavar="RUN", nargs="?", help="the run's id or its beginning, as in `nixfleet runs`"
    )
    which.add_argument("--bulk", metavar="BULK", help="the id that `nixfleet run` tells for several hosts")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Ask the host, wait for its word, and tell how the run ended. JSON is the run of the `stop` itself, or the bulk.

    A host that is away is not waited for: it is told when it is back. That is exit code 1 too: the run has not ended.
    """
    if args.bulk:
        return _bulk(args.bulk, client, out)
    target = client.get_run(args.run)
    stop = target.stop()
    if stop.view.state == "sent" and stop.view.message:
        out.run(stop.view) if out.json else out.say(stop.view.message)
        return 1
    view = stop.wait()
    good = view.result in GOOD_RESULTS
    if out.json:
        out.run(view)
    else:
        out.outcome(_ended(target) if good else view, details=False)
    return 0 if good else 1


def _bulk(bulk_id: str, client: Client, out: Out) -> int:
    """0 once nothing of it goes on, however its runs ended."""
    bulk = client.stop_bulk(bulk_id)
    left = [item.host_id for item in bulk.items if item.run is not None and item.run.state != "ended"]
    if left and not out.json:
        out.say(f"waiting for the end on {', '.join(left)}")
    code = many.wait(client, bulk, out)
    if out.json:
        out.data(asdict(client.bulk(bulk_id)))
    return code if code == 130 else 0


def _ended(target: Run) -> RunView:
    """The stopped run; its own end may arrive a moment after that of the `stop`."""
    try:
        return target.wait(10)
    except TimeoutError:
        return target.view
