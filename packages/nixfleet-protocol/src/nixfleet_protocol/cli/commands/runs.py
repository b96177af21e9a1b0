"""List runs, newest first."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.commands.numbers import whole
from nixfleet_protocol.cli.output import ID_SHOWN, Out, ago, duration
from nixfleet_protocol.client import Client, RunView

HEAD = ("RUN", "HOST", "COMMAND", "RESULT", "EXIT", "STARTED", "TOOK", "BY", "MESSAGE")


def arguments(parser: ArgumentParser) -> None:
    """Which runs, and how many."""
    parser.add_argument("host", metavar="HOST", nargs="?", help="only this host's")
    parser.add_argument("--limit", metavar="N", type=whole, default=20, help="at most N runs (default: 20)")


def do(args: Namespace, client: Client, out: Out) -> int:
    """Print the runs."""
    runs = client.runs(args.host, args.limit)
    if out.json:
        out.data({"runs": [asdict(view) for view in runs]})
    elif runs:
        out.table(HEAD, (_row(view) for view in runs))
    else:
        out.say("no runs yet")
    return 0


def _row(view: RunView) -> tuple[str | None, ...]:
    return (
        view.run_id[:ID_SHOWN],
        view.host_id,
        view.command,
        view.result or view.state,
        None if view.exit_code is None else str(view.exit_code),
        ago(view.created_at),
        duration(view.started_at, view.ended_at),
        view.started_by,
        view.message,
    )
