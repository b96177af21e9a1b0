"""What the core is told: plain data. What it wants done are `actions`."""

from typing import NamedTuple

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
