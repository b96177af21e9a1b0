"""Runs in the database."""

import json
from collections.abc import Iterable

from sqlmodel import Session, col, select

from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import Options, Outcome, RunView, Status, TestReport
from nixfleet_protocol.states import next_state
from nixfleet_protocol.validate import read_json
from nixfleet_server.store.tables import Run

TIMED_OUT = "it took longer than it may and was stopped"


def view(row: Run) -> RunView:
    """A row as peers see it."""
    return RunView(
        run_id=row.run_id,
        host_id=row.host,
        command=row.command,
        options=read_json(Options, row.options),
        state=row.state,
        result=row.result,
        exit_code=row.exit_code,
        message=row.message,
        started_by=row.started_by,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        lines=row.lines,
        generation=row.generation,
        commit=row.commit_id,
        tests=read_json(TestReport, row.tests) if row.tests else None,
        outcome=read_json(Outcome, row.outcome) if row.outcome else None,
        bulk_id=row.bulk_id,
        expires_at=row.expires_at,
        warn_at=row.warn_at,
        timeout_at=row.timeout_at,
        log_removed_at=row.log_removed_at,
    )


def add(session: Session, run: RunView) -> None:
    """Keep a new run."""
    session.add(
        Run(
            run_id=run.run_id,
            host=run.host_id,
            command=run.command,
            options=json.dumps(to_dict(run.options)),
            state=run.state,
            started_by=run.started_by,
            created_at=run.created_at,
            started_at=run.started_at,
            message=run.message,
            bulk_id=run.bulk_id,
            expires_at=run.expires_at,
            warn_at=run.warn_at,
            timeout_at=run.timeout_at,
        )
    )


def get(session: Session, run_id: str) -> RunView | None:
    """A run by its id."""
    row = _row(session, run_id)
    return view(row) if row else None


def several(session: Session, run_ids: Iterable[str]) -> list[RunView]:
    """Those of the runs that exist."""
    return [view(row) for row in session.exec(select(Run).where(col(Run.run_id).in_(list(run_ids))))]


def unfinished(session: Session) -> list[RunView]:
    """All runs that have not ended, oldest first."""
    return [view(row) for row in session.exec(select(Run).where(Run.state != "ended").order_by(col(Run.id)))]


def newest(session: Session, host: str | None, limit: int, before: str | None) -> list[RunView]:
    """Runs, newest first, older than the run `before`. An unknown `before` gives none."""
    query = select(Run).order_by(col(Run.id).desc()).limit(limit)
    if host is not None:
        query = query.where(Run.host == host)
    if before is not None:
        row = _row(session, before)
        if row is None:
            return []
        query = query.where(col(Run.id) < row.id)
    return [view(row) for row in session.exec(query)]


def last_of(session: Session, host: str) -> RunView | None:
    """The host's newest run that says something of its state: a `stop` says nothing but that it stopped another."""
    query = (
        select(Run)
        .where(Run.host == host, Run.command != "stop", Run.state != "queued")
        .order_by(col(Run.id).desc())
    )
    row = session.exec(query.limit(1)).first()
    return view(row) if row else None


def send(session: Session, run_id: str) -> None:
    """A queued run goes to its host."""
    row = _row(session, run_id)
    if row is not None and row.state == "queued":
        row.state, row.expires_at = next_state(row.state, "send"), None
        session.add(row)


def begin(
    session: Session, run_id: str, at: int, warn_at: int | None = None, timeout_at: int | None = None
) -> RunView | None:
    """The agent began the run. Gives the run as it is now; nothing changes when it had begun or ended."""
    row = _row(session, run_id)
    if row is None:
        return None
    if row.state in ("queued", "sent"):
        row.state = next_state("sent", "begin")
        row.started_at, row.warn_at, row.timeout_at, row.expires_at = at, warn_at, timeout_at, None
        session.add(row)
    return view(row)


def set_times(session: Session, run_id: str, warn_at: int | None, timeout_at: int | None) -> RunView | None:
    """The operator gives a run more time. Gives the run as it is now; one that has ended doesn't change."""
    row = _row(session, run_id)
    if row is None:
        return None
    if row.state != "ended":
        row.warn_at, row.timeout_at, row.timed_out = warn_at, timeout_at, False
        session.add(row)
    return view(row)


def time_out(session: Session, run_id: str) -> None:
    """The run's time is over: when it is stopped now, it ends as `timed_out`."""
    row = _row(session, run_id)
    if row is not None and row.state != "ended":
        row.timed_out = True
        session.add(row)


def end(session: Session, run_id: str, status: Status, lines: int, now: int) -> RunView | None:
    """End a run with an agent's final status, unless it has ended already. Gives the run as it is now."""
    row = _row(session, run_id)
    if row is None:
        return None
    if row.state != "ended":
        row.state = next_state(row.state, "end")
        row.result, row.exit_code, row.message = status.status, status.exit_code, status.message
        if row.timed_out and status.status == "stopped":
            row.result, row.message = "timed_out", f"{TIMED_OUT}; {status.message}".rstrip("; ")
        row.generation, row.commit_id = status.generation, status.commit
        row.tests = json.dumps(to_dict(status.tests)) if status.tests else None
        row.outcome = json.dumps(to_dict(status.outcome)) if status.outcome else None
        row.lines, row.ended_at = lines, now
        session.add(row)
    return view(row)


def _row(session: Session, run_id: str) -> Run | None:
    return session.exec(select(Run).where(Run.run_id == run_id)).first()
