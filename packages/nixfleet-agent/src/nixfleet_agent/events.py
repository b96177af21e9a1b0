"""What the core is told, and what it wants done. Plain data: no event or action touches the world by itself."""

from typing import Any, NamedTuple

from nixfleet_protocol.messages import Facts, Metrics, Options, ProgressState, Status
from nixfleet_protocol.record import Record


class Request(NamedTuple):
    """What a run was asked to do. `version` is that of the agent that claimed it."""

    run_id: str
    command: str
    options: Options
    version: str = ""


class Known(NamedTuple):
    """A run found in the state directory. `result` is None while it has none."""

    request: Request
    last_seq: int
    pid: int | None
    alive: bool
    result: Status | None


class Seen(NamedTuple):
    """What one look at a run's journal shows. `more`: further records can be read at once."""

    records: list[Record]
    more: bool
    alive: bool
    progress: ProgressState | None
    result: Status | None


# Events


class Opened(NamedTuple):
    """The WebSocket is open."""


class Received(NamedTuple):
    """A whole text message came."""

    frame: str


class Closed(NamedTuple):
    """The connection ended, or could not be made. `reason` is for people."""

    reason: str


class Looked(NamedTuple):
    """The answer to Look. `limit` is the one asked with."""

    run_id: str
    seen: Seen
    limit: int


class Rang(NamedTuple):
    """A runner says that its journal has grown."""

    run_id: str


class ChildEnded(NamedTuple):
    """Some process that was started has ended."""


class Launched(NamedTuple):
    """A runner claimed the run."""

    run_id: str
    pid: int


class NotLaunched(NamedTuple):
    """No runner took the run. `why` is `busy`, `invalid` or `error`; `running` describes what is in the way."""

    run_id: str
    why: str
    message: str = ""
    running: str = ""


class Recorded(NamedTuple):
    """The answer to RecordRun: it's on disk, or the disk refused (`stored` false)."""

    run_id: str
    stored: bool = True


class Existing(NamedTuple):
    """A run asked for was claimed before."""

    known: Known


class Sampled(NamedTuple):
    """The answer to Sample."""

    metrics: Metrics | None


class FactsRead(NamedTuple):
    """The facts have changed."""

    facts: Facts


class Tick(NamedTuple):
    """Time has passed."""


class Terminated(NamedTuple):
    """SIGTERM or SIGINT."""


Event = (
    Opened
    | Received
    | Closed
    | Looked
    | Rang
    | ChildEnded
    | Launched
    | NotLaunched
    | Recorded
    | Existing
    | Sampled
    | FactsRead
    | Tick
    | Terminated
)

# Actions


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
