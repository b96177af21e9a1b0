"""A runner's work in this process: what a command does to a host, without server and resident."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nixfleet_agent.config import load
from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk
from nixfleet_agent.journal import Journal
from nixfleet_agent.runner.commands import Result, perform
from nixfleet_agent.runner.context import Context
from nixfleet_agent.tail import records
from nixfleet_protocol.messages import Options, Outcome


class Ran:
    """A run that has ended, and what it left."""

    def __init__(self, result: Result, journal: Path) -> None:
        self.result = result
        self.journal = journal
        self.status, self.message = result.status, result.message
        self.outcome = result.outcome or Outcome()
        self.steps = [(step.name, step.outcome) for step in self.outcome.steps]
        self.log = [record.data.decode() for record, _ in records(str(journal))]


def run(
    variables: dict[str, str],
    command: str,
    *,
    before: Callable[[Context], None] = lambda context: None,
    **options: Any,
) -> Ran:
    """Do a command with these variables as the agent's whole environment. `before` sees the context first."""
    run_id = (
        uuid.uuid4().hex
    )  # one machine, one id: what is left of a run is found by it, whoever runs beside us
    config = load(variables, connects=False)
    directory = Path(config.state_dir) / "runs" / run_id
    directory.mkdir(parents=True)
    journal = Journal(str(directory), Disk())
    context = Context(config, Request(run_id, command, Options(**options)), journal, env=variables)
    before(context)
    try:
        result = perform(context)
    finally:
        context.close()
        journal.close()
    return Ran(result, directory)
