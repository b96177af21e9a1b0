"""Bulk dispatches under way: each begins its next runs when one of its runs ends, also after a restart."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from nixfleet_protocol.messages.fleet import BulkItem, BulkRequest, BulkView
from nixfleet_protocol.states import COMMANDS, GOOD_RESULTS
from nixfleet_server import logging
from nixfleet_server.domain import bulk as domain
from nixfleet_server.domain.runs import option_problem
from nixfleet_server.errors import Declined
from nixfleet_server.live.dispatch import dispatch
from nixfleet_server.live.host import brief
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.life import give_up
from nixfleet_server.live.run import LiveRun
from nixfleet_server.live.stop import stop
from nixfleet_server.store import bulks, runs
from nixfleet_server.store.bulks import BulkRecord

log = logging.get(__name__)

RETURN_WAIT = 45.0
"""Seconds after a start in which a host that is not connected may just be on its way back."""
BULKS_MAX = 32
"""Under way at once: each holds its items in memory."""
FAILED = "another host's run failed before this one began"
_LATER = frozenset({"shutting_down"})


class Bulks:
    """Looks after them. Made on the running event loop; `load` before use."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._under_way: dict[str, BulkRecord] = {}
        self._results: dict[str, str | None] = {}
        """Of the runs of bulks under way: their result, None until they ended."""
        self._turns: dict[str, asyncio.Lock] = {}
        self._until = hub.monotonic() + RETURN_WAIT
        hub.when_ended.append(self._on_ended)

    async def load(self) -> None:
        """Take over what an earlier server left."""
        for record in await self._hub.db.read(bulks.unfinished):
            names = [item.run_id for item in record.items if item.run_id]
            for view in await self._hub.db.read(partial(runs.several, run_ids=names)):
                self._results[view.run_id] = view.result
            self._add(record)

    async def begin(
        self, request: BulkRequest, started_by: str, also: Callable[[Any, str], None] | None = None
    ) -> BulkView:
        """Start one; `also(session, bulk_id)` writes in its transaction. Raises Declined when it can't be right for any host."""
        if request.command not in COMMANDS:
            raise Declined("unknown_command", f"command: expected one of {', '.join(sorted(COMMANDS))}")
        problem = option_problem(request.command, request.options)
        if not request.hosts:
            problem = "hosts: expected at least one"
        elif len(set(request.hosts)) < len(request.hosts):
            problem = "hosts: each at most once"
        if problem:
            raise Declined("invalid", problem)
        if self._hub.leaving:
            raise Declined("shutting_down", "the server is about to restart: try again in a few seconds")
        if len(self._under_way) >= BULKS_MAX:
            raise Declined("queue_full", f"{BULKS_MAX} bulk dispatches are under way already")
        record = BulkRecord(
            bulk_id=secrets.token_hex(16),
            command=request.command,
            options=request.options,
            concurrency=request.concurrency,
            stop_on_failure=request.stop_on_failure,
            started_by=started_by,
            created_at=self._hub.now(),
            items=[bulks.ItemRecord(host) for host in request.hosts],
        )

        def write(session: Any) -> None:
            bulks.add(session, record)
            if also is not None:
                also(session, record.bulk_id)

        await self._hub.db.write(write)
        log.info("bulk started", bulk=record.bulk_id, command=record.command, hosts=len(record.items))
        self._add(record)
        await self._advance(record)
        return await self._view(record)

    async def show(self, bulk_id: str) -> BulkView:
        """One by its id. Raises Declined."""
        record = self._under_way.get(bulk_id)
        if record is None:
            record = await self._hub.db.read(lambda session: bulks.get(session, bulk_id))
        if record is None:
            raise Declined("no_such_bulk", "there is no such bulk dispatch")
        return await self._view(record)

    async def stop(self, bulk_id: str, stopped_by: str) -> BulkView:
        """Begin nothing more, and stop what runs; hosts that are away are told later. Raises Declined."""
        record = self._under_way.get(bulk_id)
        if record is not None:
            async with self._turns[bulk_id]:
                states = [self._state(item) for item in record.items]
                unbegun = tuple(i for i, state in enumerate(states) if state in domain.UNBEGUN)
                await self._cancel(record, unbegun, f"stopped by {stopped_by} before this one began")
                log.info("bulk stopped", bulk=bulk_id, by=stopped_by, cancelled=len(unbegun))
                running = [
                    item for item, state in zip(record.items, states, strict=True) if state == "running"
                ]
                await asyncio.gather(*(self._stop(item, stopped_by) for item in running))
            await self._advance(record)
        return await self.show(bulk_id)

    def look(self) -> None:
        """Once a second: go on with those that wait for hosts to come back."""
        for record in self._under_way.values():
            if not self._turns[record.bulk_id].locked():
                self._hub.spawn(self._advance(record))

    def _add(self, record: BulkRecord) -> None:
        self._under_way[record.bulk_id] = record
        self._turns[record.bulk_id] = asyncio.Lock()

    def _on_ended(self, run: LiveRun) -> None:
        record = self._under_way.get(run.view.bulk_id or "")
        if record is not None:
            self._results[run.view.run_id] = run.view.result
            self._hub.spawn(self._advance(record))

    async def _advance(self, record: BulkRecord) -> None:
        async with self._turns[record.bulk_id]:
            while record.state == "running":
                step = domain.next_step(
                    [self._state(item) for item in record.items], record.concurrency, record.stop_on_failure
                )
                if step.cancel:
                    await self._cancel(record, step.cancel, FAILED)
                elif step.begin:
                    if not await self._begin(record, step.begin):
                        return
                elif step.ended:
                    await self._end(record)
                else:
                    return

    def _state(self, item: bulks.ItemRecord) -> domain.State:
        if item.run_id is None:
            return "refused" if item.problem else "waiting"
        result = self._results.get(item.run_id)
        if result is not None:
            return "good" if result in GOOD_RESULTS else "bad"
        live = self._hub.runs.get(item.run_id)
        return "queued" if live is not None and live.view.state == "queued" else "running"

    async def _begin(self, record: BulkRecord, positions: tuple[int, ...]) -> bool:
        """Start these items; False when none could be for now."""
        went_on = False
        refused: dict[int, tuple[str, str]] = {}
        for position in positions:
            item = record.items[position]

            def also(session: Any, run_id: str, position: int = position) -> None:
                bulks.set_run(session, record.bulk_id, position, run_id)

            try:
                view = await dispatch(
                    self._hub,
                    item.host,
                    record.command,
                    record.options,
                    record.started_by,
                    bulk_id=record.bulk_id,
                    also=also,
                )
            except Declined as declined:
                if declined.code in _LATER or self._may_return(declined):
                    continue
                refused[position] = (declined.code, str(declined))
            else:
                item.run_id = view.run_id
                self._results.setdefault(view.run_id, None)
            went_on = True
        await self._refuse(record, refused)
        return went_on

    def _may_return(self, declined: Declined) -> bool:
        return declined.code == "host_offline" and self._hub.monotonic() < self._until

    async def _stop(self, item: bulks.ItemRecord, stopped_by: str) -> None:
        try:
            await stop(self._hub, item.run_id or "", stopped_by)
        except Declined as declined:  # it has just ended, say: the others are stopped all the same
            log.info(
                "a run of the bulk is not stopped", run=item.run_id, host=item.host, reason=str(declined)
            )

    async def _cancel(self, record: BulkRecord, positions: tuple[int, ...], why: str) -> None:
        refused = {}
        for position in positions:
            run_id = record.items[position].run_id
            if run_id is None:
                refused[position] = ("cancelled", why)
                continue
            self._results[run_id] = "stopped"  # before its end is on the disk, so that it is asked for once
            live = self._hub.runs.get(run_id)
            if live is not None and live.view.state == "queued":
                give_up(self._hub, live, "stopped", why)
        await self._refuse(record, refused)

    async def _refuse(self, record: BulkRecord, refused: dict[int, tuple[str, str]]) -> None:
        if not refused:
            return
        await self._hub.db.write(lambda session: bulks.set_problems(session, record.bulk_id, refused))
        for position, (problem, detail) in refused.items():
            record.items[position].problem, record.items[position].detail = problem, detail

    async def _end(self, record: BulkRecord) -> None:
        await self._hub.db.write(lambda session: bulks.end(session, record.bulk_id))
        record.state = "ended"
        log.info("bulk ended", bulk=record.bulk_id)
        self._under_way.pop(record.bulk_id, None)
        self._turns.pop(record.bulk_id, None)
        for item in record.items:
            self._results.pop(item.run_id or "", None)

    async def _view(self, record: BulkRecord) -> BulkView:
        names = [item.run_id for item in record.items if item.run_id]
        views = {view.run_id: view for view in await self._hub.db.read(partial(runs.several, run_ids=names))}
        views |= {name: self._hub.runs[name].snapshot() for name in names if name in self._hub.runs}
        return BulkView(
            bulk_id=record.bulk_id,
            command=record.command,
            state=record.state,
            items=tuple(
                BulkItem(
                    host_id=item.host,
                    run=brief(views.get(item.run_id or "")),
                    problem=item.problem,
                    detail=item.detail,
                )
                for item in record.items
            ),
        )
