"""What the core wants done: plain data, no action touches the world by itself."""

from typing import Any, NamedTuple

from nixfleet_agent.events import Request
from nixfleet_protocol.messages import Status


class Connect(NamedTuple):
    """Connect after so many seconds."""

    delay: float


class Send(NamedTuple):
    """Send these frames."""

    frames: list[str]


class Close(NamedTuple):
    """Close the connection."""

    code: int
    reason: str


class Launch(NamedTuple):
    """Have a runner do it; answered by Launched, NotLaunched or Existing."""

    request: Request


class RecordRun(NamedTuple):
    """Claim a run that needs no runner, with its result if it has one; answered by Recorded or Existing."""

    request: Request
    result: Status | None


class Finish(NamedTuple):
    """Store the result of such a run."""

    status: Status


class Look(NamedTuple):
    """Look at a run's journal: at most `limit` records after number `after`; answered by Looked."""

    run_id: str
    after: int
    limit: int


class Settle(NamedTuple):
    """The run's runner died: have its end found out. The server has its records up to `have`."""

    run_id: str
    have: int


class Decide(NamedTuple):
    """The run's runner died, and the server can't say what it has: have its switch decided, if that is still to be done."""

    run_id: str


class Signal(NamedTuple):
    """Signal a runner. `force`: end it and all that it started, whatever it does about that.

    `late`: by force because it takes so long; not while it does what must not be ended half-way.
    """

    run_id: str
    pid: int
    force: bool
    late: bool = False


class Delivered(NamedTuple):
    """The server has this run whole."""

    run_id: str


class Sample(NamedTuple):
    """Measure the host's load; answered by Sampled."""


class Exit(NamedTuple):
    """Leave, with this exit code."""

    code: int


class Say(NamedTuple):
    """One line for the agent's own log."""

    level: str
    event: str
    fields: dict[str, Any]


Action = (
    Connect
    | Send
    | Close
    | Launch
    | RecordRun
    | Finish
    | Look
    | Settle
    | Decide
    | Signal
    | Delivered
    | Sample
    | Exit
    | Say
)
