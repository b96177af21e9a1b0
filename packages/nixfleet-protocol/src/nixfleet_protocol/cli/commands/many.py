"""One command on several hosts, as one bulk dispatch: what `run` does when it gets more than one."""

import time

from nixfleet_protocol.cli.output import Out
from nixfleet_protocol.cli.terminal import clean
from nixfleet_protocol.client import Client
from nixfleet_protocol.errors import NotConnected
from nixfleet_protocol.messages.fleet import BulkItem, BulkView
from nixfleet_protocol.states import GOOD_RESULTS

PAUSE = 0.5
"""Seconds between two looks."""


def wait(client: Client, bulk: BulkView, out: Out) -> int:
    """Tell of each run as it ends. Gives the exit code; after Ctrl-C the runs go on."""
    told: set[str] = set()
    try:
        while True:
            for item in bulk.items:
                if item.host_id not in told and _over(item):
                    told.add(item.host_id)
                    if not out.json:
                        _tell(item, out)
            if bulk.state == "ended" and len(told) == len(bulk.items):
                break
            time.sleep(PAUSE)
            bulk = _look(client, bulk)
    except KeyboardInterrupt:
        out.say(
            f"the runs go on: `nixfleet runs` shows them, `nixfleet stop --bulk {bulk.bulk_id}` ends them"
        )
        return 130
    return 0 if all(_good(item) for item in bulk.items) else 1


def _look(client: Client, bulk: BulkView) -> BulkView:
    """A server on its way down and up again is waited for."""
    deadline = time.monotonic() + client.patience
    while True:
        try:
            return client.bulk(bulk.bulk_id)
        except NotConnected:
            if time.monotonic() >= deadline:
                raise
            time.sleep(PAUSE)


def _over(item: BulkItem) -> bool:
    return bool(item.problem) or (item.run is not None and item.run.state == "ended")


def _good(item: BulkItem) -> bool:
    return item.run is not None and item.run.result in GOOD_RESULTS


def _tell(item: BulkItem, out: Out) -> None:
    if item.run is not None and not item.problem:
        out.outcome(item.run, details=False)
    else:
        out.line(clean(f"{item.host_id}: not started, {item.problem}: {item.detail}"))
