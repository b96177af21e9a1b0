"""The agent's own log, on stderr: one line an event, for a person on a terminal, JSON otherwise.

Not the standard library's `logging`: it costs the resident process a megabyte, and this is all we use of it.
"""

import json
import os
import time
from typing import Any

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log:
    """Writes to a file descriptor. A line that can't be written is dropped: logging never stops an agent."""

    def __init__(self, level: str = "info", format: str = "auto", fd: int = 2) -> None:
        self._least = _LEVELS[level]
        self._fd = fd
        self._json = format == "json" or (format == "auto" and not os.isatty(fd))

    def debug(self, event: str, **fields: Any) -> None:
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        if _LEVELS[level] < self._least:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        if self._json:
            line = json.dumps({"time": stamp, "level": level, "event": event, **fields}, default=str)
        else:
            words = "".join(f" {key}={value}" for key, value in fields.items() if value is not None)
            line = f"{stamp} {level:<7} {event}{words}".replace("\n", " ")
        try:
            os.write(self._fd, line.encode(errors="replace") + b"\n")
        except OSError:
            return
