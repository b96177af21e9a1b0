"""What a host prints: taken once, in order and within bounds, on its way into the logs."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from nixfleet_protocol import limits
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages import Output

if TYPE_CHECKING:
    from nixfleet_server.live.agent import AgentConnection

IN_FLIGHT_LINES = 2 * limits.WINDOW_LINES
IN_FLIGHT_BYTES = 8 * limits.WINDOW_BYTES
"""Received but not durable at most: the window an agent keeps by itself, with room for its counting characters where
we count bytes. An agent beyond it floods us."""

RECORD_HEAD = 32
"""Bytes that an empty line takes in a log, at most."""


def take(connection: "AgentConnection", messages: Iterable[Output]) -> None:
    """Accept lines. Raises RemoteProtocolError when they are another's, out of order, or more than is taken."""
    hub = connection.hub
    for run_id, group in groupby(messages, lambda output: output.run_id):
        connection.permit(run_id)
        run = hub.runs.get(run_id)
        outputs = list(group)
        if run is None:
            connection.acknowledge(run_id, outputs[-1].seq, ended=True)
            continue
        if run.ending:  # its log is complete: these came before, and the end is acknowledged soon
            continue
        size = sum(len(output.line) + RECORD_HEAD for output in outputs)
        if not connection.host.quota.takes(size, hub.monotonic()):
            raise RemoteProtocolError("more output than is taken of one host in a day")
        before = run.received
        data = run.accept(outputs)
        hub.counts.lines += run.received - before
        if data:
            hub.logs.append(run_id, data, run.received)
        if outputs[0].seq <= run.durable:
            connection.acknowledge(run_id, run.durable)
    lines = size = 0
    for run in (hub.runs[run_id] for run_id in connection.runs if run_id in hub.runs):
        lines, size = lines + run.in_flight[0], size + run.in_flight[1]
    if lines > IN_FLIGHT_LINES or size > IN_FLIGHT_BYTES:
        raise RemoteProtocolError("more unacknowledged output than the window allows")
