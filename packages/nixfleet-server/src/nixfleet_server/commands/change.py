"""Changes by `nixfleet-server`: in one transaction with their entry in the audit log. A server that runs notices them."""

import argparse
import os
import pwd
from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session as Db

from nixfleet_protocol.cli.commands import numbers
from nixfleet_server.audit import CONSOLE
from nixfleet_server.clock import wall_clock
from nixfleet_server.commands.common import open_store
from nixfleet_server.store import audits

T = TypeVar("T")


def change(
    args: argparse.Namespace,
    action: str,
    work: Callable[[Db], T],
    *,
    subject: str = "",
    detail: str = "",
    may_make: bool = False,
) -> T:
    """Do it and write it down. Raises what `open_store` and `work` raise; then nothing is written."""

    def both(db: Db) -> T:
        result = work(db)
        audits.add(
            db,
            wall_clock(),
            action=action,
            who=CONSOLE,
            address=_user(),
            subject=subject,
            detail=detail,
        )
        return result

    return open_store(args, may_make=may_make).write_now(both)


def duration(least: int, most: int) -> Callable[[str], int]:
    """A parser for durations as `90`, `90s`, `15m`, `2h`, `30d`; gives seconds. It raises ArgumentTypeError."""

    def parse(text: str) -> int:
        seconds = numbers.duration(text)
        if not least <= seconds <= most:
            raise argparse.ArgumentTypeError(f"expected from {least} seconds to {most // 86_400} days")
        return seconds

    return parse


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
