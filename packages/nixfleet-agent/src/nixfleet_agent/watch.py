"""Journals to messages: which run to look at next, what a look means, when a run is delivered or its runner dead."""

from collections.abc import Callable

from nixfleet_agent import actions as a
from nixfleet_agent import events as e
from nixfleet_agent.delivery import Delivery, Run
from nixfleet_agent.out import Out
from nixfleet_protocol.messages import Ack

SETTLE_AGAIN = 30.0
"""Seconds between two tries to find out a dead run's end."""


class Watch:
    """The part of the core that follows journals."""

    def __init__(self, out: Out, delivery: Delivery, ended: Callable[[Run], None]) -> None:
        """`ended` is called once for each run whose result is first seen."""
        self._out = out
        self._delivery = delivery
        self._ended = ended

    def looked(self, event: e.Looked) -> None:
        """What a look has shown: output to send, a result, or a death."""
        run = self._delivery.runs.get(event.run_id)
        self._delivery.looking = self._delivery.looking and not event.limit
        if run is None:
            self.next()
            return
        seen = event.seen
        if not seen.alive:
            run.pid = None  # the number may be another process's by now
        if seen.result and run.result is None:
            run.result = seen.result
            self._out.say(
                "info", "command ended", command=run.command, run=run.run_id, result=run.result.status
            )
            self._ended(run)
        if run.watched and not seen.alive and seen.result is None:
            self._settle(run)
        if self._out.active and event.limit:
            self._out.send(*self._delivery.output(run, seen))
        self.next()

    def _settle(self, run: Run) -> None:
        if self._out.now < run.settle_at:
            return
        run.settle_at = self._out.now + SETTLE_AGAIN
        if (
            run.have is None
        ):  # its records could not be numbered; but it may be the reason why there is no server
            self._out.do(a.Decide(run.run_id))
            return
        self._out.say("warning", "a runner died without a result", command=run.command, run=run.run_id)
        self._out.do(a.Settle(run.run_id, run.have))

    def rang(self, event: e.Rang) -> None:
        """Its journal has grown."""
        run = self._delivery.runs.get(event.run_id)
        if run:
            self.look_at(run)

    def all(self) -> None:
        """Look at every run that is under way."""
        for run in list(self._delivery.runs.values()):
            if run.watched:
                self.look_at(run)

    def look_at(self, run: Run) -> None:
        """Look at a run: for output if some can be sent, else only for its life."""
        if self._out.end.room and run.have is not None:
            self._delivery.hungry(run)
            self.next()
        elif run.watched:
            self._out.do(a.Look(run.run_id, run.sent, 0))
            self._delivery.hungry(run)

    def next(self) -> None:
        """Ask for the next read, if there's something to read and room to send it."""
        look = self._delivery.next_look(self._out.end.room)
        if look:
            self._out.do(look)

    def ack(self, message: Ack) -> None:
        """The server has it: room for more, and perhaps the end of a run."""
        run = self._delivery.runs.get(message.run_id)
        if run:
            run.have = max(run.have or 0, message.seq)
            if message.ended:
                self.delivered(run)
        self.next()

    def delivered(self, run: Run) -> None:
        """The server has the run whole."""
        if run.result is None and run.watched:  # the server ended it by its own word; it may still live here
            self._out.say("warning", "the server ended a run that still runs", run=run.run_id)
        self._delivery.forget(run)
        self._out.do(a.Delivered(run.run_id))
