"""End a run: its whole process tree, TERM first, then KILL."""

from argparse import ArgumentParser, Namespace

from nixfleet_protocol.cli.output import Out
from nixfleet_protocol.client import Client, Run, RunView
from nixfleet_protocol.states import GOOD_RESULTS


def arguments(parser: ArgumentParser) -> None:
    """Which run."""
    parser.add_argument("run", metavar="RUN", help="the run's id or its beginning, as in `nixfleet runs`")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Ask the host, wait for its word, and tell how the run ended. JSON is the run of the `stop` itself."""
    target = client.get_run(args.run)
    view = target.stop().wait()
    good = view.result in GOOD_RESULTS
    if out.json:
        out.run(view)
    else:
        out.outcome(_ended(target) if good else view, details=False)
    return 0 if good else 1


def _ended(target: Run) -> RunView:
    """The stopped run; its own end may arrive a moment after that of the `stop`."""
    try:
        return target.wait(10)
    except TimeoutError:
        return target.view
