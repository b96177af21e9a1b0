"""Bulk dispatches in the database."""

import json
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import Options
from nixfleet_protocol.validate import read_json
from nixfleet_server.store.tables import Bulk, BulkItem


@dataclass(slots=True)
class ItemRecord:
    """One host: it waits while it has neither `run_id` nor `problem`."""

    host: str
    run_id: str | None = None
    problem: str = ""
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class BulkRecord:
    """What is kept of a bulk dispatch."""

    bulk_id: str
    command: str
    options: Options
    concurrency: int
    stop_on_failure: bool
    started_by: str
    created_at: int
    state: str = "running"
    items: list[ItemRecord] = field(default_factory=list)


def add(session: Session, bulk: BulkRecord) -> None:
    """Keep a new one."""
    session.add(
        Bulk(
            bulk_id=bulk.bulk_id,
            command=bulk.command,
            options=json.dumps(to_dict(bulk.options)),
            concurrency=bulk.concurrency,
            stop_on_failure=bulk.stop_on_failure,
            started_by=bulk.started_by,
            created_at=bulk.created_at,
            state=bulk.state,
        )
    )
    for position, item in enumerate(bulk.items):
        session.add(BulkItem(bulk_id=bulk.bulk_id, position=position, host=item.host))


def get(session: Session, bulk_id: str) -> BulkRecord | None:
    """One by its id."""
    row = session.exec(select(Bulk).where(Bulk.bulk_id == bulk_id)).first()
    return _record(session, row) if row else None


def unfinished(session: Session) -> list[BulkRecord]:
    """All that have not ended, oldest first."""
    rows = session.exec(select(Bulk).where(Bulk.state != "ended").order_by(col(Bulk.id)))
    return [_record(session, row) for row in rows.all()]


def set_run(session: Session, bulk_id: str, position: int, run_id: str) -> None:
    """The item has its run."""
    row = session.get_one(BulkItem, (bulk_id, position))
    row.run_id = run_id
    session.add(row)


def set_problems(session: Session, bulk_id: str, problems: dict[int, tuple[str, str]]) -> None:
    """These items, by position, get no run: a word and a sentence each."""
    for position, (problem, detail) in problems.items():
        row = session.get_one(BulkItem, (bulk_id, position))
        row.problem, row.detail = problem, detail
        session.add(row)


def end(session: Session, bulk_id: str) -> None:
    """Nothing more begins or ends."""
    row = session.exec(select(Bulk).where(Bulk.bulk_id == bulk_id)).one()
    row.state = "ended"
    session.add(row)


def _record(session: Session, row: Bulk) -> BulkRecord:
    items = session.exec(
        select(BulkItem).where(BulkItem.bulk_id == row.bulk_id).order_by(col(BulkItem.position))
    )
    return BulkRecord(
        bulk_id=row.bulk_id,
        command=row.command,
        options=read_json(Options, row.options),
        concurrency=row.concurrency,
        stop_on_failure=row.stop_on_failure,
        started_by=row.started_by,
        created_at=row.created_at,
        state=row.state,
        items=[ItemRecord(item.host, item.run_id, item.problem, item.detail) for item in items],
    )
