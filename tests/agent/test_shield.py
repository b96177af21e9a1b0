"""What must not be ended half-way is not killed for taking long, only by force."""

import uuid
from pathlib import Path

from nixfleet_agent import actions as a
from nixfleet_agent.config import load
from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk
from nixfleet_agent.hands import Hands
from nixfleet_agent.journal import SHIELD, Journal, claim
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runs import Runs
from nixfleet_protocol.messages import Options

RUN = uuid.uuid4().hex


class Launcher:
    def __init__(self) -> None:
        self.signalled: list[tuple[str, bool]] = []

    def signal(self, run_id: str, pid: int, force: bool) -> None:
        self.signalled.append((run_id, force))


def test_a_shielded_runner_is_killed_by_force_alone(tmp_path: Path) -> None:
    config = load({"NIXFLEET_STATE_DIR": str(tmp_path), "NIXFLEET_HOSTNAME": "web1"}, connects=False)
    runs = Runs(str(tmp_path))
    request = Request(RUN, "switch", Options())
    journal = Journal(claim(str(tmp_path), request, Disk()), Disk())
    context = Context(config, request, journal)
    launcher = Launcher()
    hands = Hands(str(tmp_path), runs, launcher, None, None, None)  # type: ignore[arg-type]

    with context.shielded(), context.shielded():
        hands.signal(a.Signal(RUN, 77, True, late=True))
        hands.signal(a.Signal(RUN, 77, False))
        hands.signal(a.Signal(RUN, 77, True))
    hands.signal(a.Signal(RUN, 77, True, late=True))
    context.close()
    journal.close()

    assert launcher.signalled == [(RUN, False), (RUN, True), (RUN, True)]
    assert not (Path(journal.path) / SHIELD).exists()
