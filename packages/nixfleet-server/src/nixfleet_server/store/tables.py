"""The tables. A migration in `migrations/versions` goes with every change here; a test compares the two.

Times are milliseconds since the epoch. What is only ever read whole (facts, options, reports) is kept as JSON text.
"""

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class Host(SQLModel, table=True):
    """A machine, and what it last said of itself. Presence is not here: it is derived."""

    __tablename__ = "host"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=63)
    criticality: str = "medium"
    token_hash: str = Field(unique=True, description="sha256 of the agent's token, hexadecimal")
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
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    lines: int = Field(
        default=0, sa_type=BigInteger, description="records in the log; written when the run ends"
    )
    generation: str | None = None
    commit_id: str | None = None
    tests: str | None = None


class Session(SQLModel, table=True):
    """A login. The id itself is only in the cookie."""

    __tablename__ = "session"

    id_hash: str = Field(primary_key=True)
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(index=True, sa_type=BigInteger)


class ApiToken(SQLModel, table=True):
    """A script's access."""

    __tablename__ = "api_token"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    scope: str
    token_hash: str = Field(unique=True)
    created_at: int = Field(sa_type=BigInteger)
