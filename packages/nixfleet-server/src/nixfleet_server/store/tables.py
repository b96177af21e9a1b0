"""The tables. A migration in `migrations/versions` goes with every change here; a test compares the two.

Times are milliseconds since the epoch. What is only ever read whole (facts, options, reports) is kept as JSON text.
"""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, text
from sqlmodel import Field, SQLModel


class Host(SQLModel, table=True):
    """A machine, and what it last said of itself. Presence is not here: it is derived."""

    __tablename__ = "host"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=63)
    criticality: str = "medium"
    token_hash: str = Field(unique=True, description="sha256 of the agent's token, hexadecimal")
    old_token_hash: str | None = Field(
        default=None, index=True, description="of the token before the last rotation"
    )
    old_token_until: int | None = Field(
        default=None, sa_type=BigInteger, description="until then the old token works too"
    )
    notes: str = ""
    created_at: int = Field(sa_type=BigInteger)
    last_seen_at: int | None = Field(default=None, sa_type=BigInteger)
    interval: float = 30.0
    platform: str = "unknown"
    agent_version: str | None = None
    protocol: str | None = None
    compatible: bool = True
    commands: str = "[]"
    facts: str | None = None


class Run(SQLModel, table=True):
    """A command on a host. `id` is the order of runs; `host` is a name, since history outlives the host."""

    __tablename__ = "run"

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(unique=True, max_length=32)
    host: str = Field(index=True)
    command: str
    options: str = "{}"
    state: str = Field(index=True)
    result: str | None = None
    exit_code: int | None = None
    message: str = ""
    started_by: str = ""
    created_at: int = Field(sa_type=BigInteger)
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, index=True, sa_type=BigInteger)
    lines: int = Field(
        default=0, sa_type=BigInteger, description="records in the log; written when the run ends"
    )
    generation: str | None = None
    commit_id: str | None = None
    tests: str | None = None
    outcome: str | None = None
    bulk_id: str | None = Field(default=None, index=True)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    warn_at: int | None = Field(default=None, sa_type=BigInteger)
    timeout_at: int | None = Field(default=None, sa_type=BigInteger)
    timed_out: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("0")},
        description="its time was over and it was told to stop: however it ends then",
    )
    log_bytes: int | None = Field(
        default=None, sa_type=BigInteger, description="of the log on the disk, once the run has ended"
    )
    log_removed_at: int | None = Field(default=None, sa_type=BigInteger)


class Session(SQLModel, table=True):
    """A login. The id itself is only in the cookie; `store.keys.public_id` of its hash is what the operator sees."""

    __tablename__ = "session"

    id_hash: str = Field(primary_key=True)
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(index=True, sa_type=BigInteger)
    last_seen_at: int | None = Field(default=None, sa_type=BigInteger)
    address: str = Field(default="", description="where it was last used from")
    client: str = Field(default="", description="the browser's own words, User-Agent")


class ApiToken(SQLModel, table=True):
    """A script's access."""

    __tablename__ = "api_token"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    scope: str
    token_hash: str = Field(unique=True)
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)


class EnrollToken(SQLModel, table=True):
    """Lets one agent in, once."""

    __tablename__ = "enroll_token"

    token_hash: str = Field(primary_key=True)
    host: str | None = Field(default=None, description="the only name it may take")
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)
    used_by: str | None = Field(default=None, description="the host that came of it")


class Audit(SQLModel, table=True):
    """Something that somebody did, or tried to. Only ever added to; `id` is the order."""

    __tablename__ = "audit"

    id: int | None = Field(default=None, primary_key=True)
    at: int = Field(index=True, sa_type=BigInteger)
    who: str = ""
    address: str = ""
    action: str
    subject: str = ""
    outcome: str = "ok"
    detail: str = ""
    run_id: str | None = None


class Setting(SQLModel, table=True):
    """What the server keeps about itself: the names are constants of `store.login`."""

    __tablename__ = "setting"

    name: str = Field(primary_key=True)
    value: str


class Idempotency(SQLModel, table=True):
    """A dispatch that may be sent again: the same key gets the same run, not a second one."""

    __tablename__ = "idempotency"

    key_hash: str = Field(primary_key=True, description="sha256 over who asked and their key")
    body_hash: str = Field(description="sha256 of method, path and body")
    result_id: str = Field(description="the run or bulk dispatch that came of it")
    created_at: int = Field(index=True, sa_type=BigInteger)


class Bulk(SQLModel, table=True):
    """One command for many hosts. `state`: `running`, or `ended` when nothing more will begin or end."""

    __tablename__ = "bulk"

    id: int | None = Field(default=None, primary_key=True)
    bulk_id: str = Field(unique=True, max_length=32)
    command: str
    options: str = "{}"
    concurrency: int = 0
    stop_on_failure: bool = False
    started_by: str = ""
    created_at: int = Field(sa_type=BigInteger)
    state: str = "running"


class BulkItem(SQLModel, table=True):
    """One host of a bulk dispatch: it waits while it has neither a run nor a problem."""

    __tablename__ = "bulk_item"

    bulk_id: str = Field(primary_key=True, max_length=32)
    position: int = Field(primary_key=True)
    host: str
    run_id: str | None = None
    problem: str = ""
    detail: str = ""


class Metric(SQLModel, table=True):
    """One point of a host's load; a day's worth is kept."""

    __tablename__ = "metric"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    host: str = Field(primary_key=True)
    at: int = Field(primary_key=True, sa_type=BigInteger)
    cpu: float | None = None
    ram: float | None = None
    swap: float | None = None
    load: float | None = None


class PresenceDay(SQLModel, table=True):
    """How long a host was there on one day, of the time that the server can tell. Two numbers, however it flaps."""

    __tablename__ = "presence_day"

    host: str = Field(primary_key=True)
    day: int = Field(primary_key=True, description="days since the epoch, UTC")
    there: float = Field(default=0.0, description="seconds")
    known: float = Field(default=0.0, description="seconds")


class Webhook(SQLModel, table=True):
    """An event for the webhook, kept from the transaction that made it true until it is delivered, and a while longer.

    `key` names the event itself, so that it is told once however often it is noticed.
    """

    __tablename__ = "webhook"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    body: str
    created_at: int = Field(sa_type=BigInteger)
    next_at: int = Field(sa_type=BigInteger)
    attempts: int = 0
    sent_at: int | None = Field(default=None, sa_type=BigInteger)
