"""The scripting library: list hosts, start commands, follow their output, wait for results.

    from nixfleet_protocol.client import Client

    with Client() as fleet:
        print(fleet.run("web1", "pull-switch").wait().result)

`AsyncClient` is the same with `async with` and `await`. Both need the extra: `pip install 'nixfleet-protocol[client]'`.
"""

from nixfleet_protocol.client.aio import AsyncClient, AsyncRun
from nixfleet_protocol.client.settings import Settings
from nixfleet_protocol.client.sync import Client, Run
from nixfleet_protocol.errors import ClientError, Misconfigured, NotAllowed, NotConnected, Refused
from nixfleet_protocol.messages.api import LogRecord
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.parts import RunView

__all__ = [
    "AsyncClient",
    "AsyncRun",
    "Client",
    "ClientError",
    "HostView",
    "LogRecord",
    "Misconfigured",
    "NotAllowed",
    "NotConnected",
    "Refused",
    "Run",
    "RunView",
    "Settings",
]
