"""A thousand hosts, each beating every five seconds, through the page's own socket: what is measured is the page."""

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, WebSocketRoute

from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages import Metrics
from nixfleet_protocol.messages.browser import HostUpdate, HostView, Snapshot
from tests.browser.gallery import nixos

HOSTS = 1000
INTERVAL = 5.0
"""Seconds between two heartbeats of a host."""


def host(number: int, beat: int) -> dict[str, Any]:
    """Host `number` as of its heartbeat `beat`."""
    metrics = Metrics(cpu=float((number * 7 + beat * 13) % 100), ram=float(number % 100), load=1.0, cores=4)
    return {
        "host_id": f"host-{number:04}",
        "criticality": ("high", "medium", "low")[number % 3],
        "presence": "online",
        "connected": True,
        "last_seen_at": int(time.time() * 1000),
        "interval": INTERVAL,
        "platform": "nixos",
        "agent_version": "0.2.0",
        "commands": ("pull", "switch", "test", "stop"),
        "facts": FACTS,
        "metrics": metrics,
    }


FACTS = nixos(12)


class Beats:
    """Stands between page and server: a snapshot of a thousand hosts, then their heartbeats as the server sends them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.route: WebSocketRoute | None = None
        self.sent = 0
        page.route_web_socket("**/ws/browser", self._open)

    def _open(self, route: WebSocketRoute) -> None:
        self.route = route
        views = tuple(HostView(**host(number, 0)) for number in range(HOSTS))
        order = sorted(
            views, key=lambda view: ({"high": 0, "medium": 1, "low": 2}[view.criticality], view.host_id)
        )
        route.send(
            encode(
                Snapshot(
                    protocol="1.1", server_version="0.2.0", at=int(time.time() * 1000), hosts=tuple(order)
                )
            )
        )

    def go_on(self, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Send heartbeats for so long, in the pace of the hosts; `meanwhile` is called some thirty times a second."""
        begun = time.monotonic()
        while (past := time.monotonic() - begun) < seconds:
            due = int(past / INTERVAL * HOSTS)
            while self.sent < due:
                update = HostUpdate(**host(self.sent % HOSTS, self.sent // HOSTS + 1))
                assert self.route
                self.route.send(encode(update))
                self.sent += 1
            meanwhile()
            self.page.wait_for_timeout(20)
        self.sent = 0
