"""What `nixfleet` prints: tables and sentences for people, JSON for programs, records of logs."""

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from nixfleet_protocol.cli.terminal import Cleaner, clean, shown
from nixfleet_protocol.errors import NixFleetError
from nixfleet_protocol.messages.api import LogRecord
from nixfleet_protocol.messages.parts import RunView
from nixfleet_protocol.states import GOOD_RESULTS
from nixfleet_protocol.text import to_bytes

ID_SHOWN = 12
"""Characters of a run's id in tables; `nixfleet` takes any beginning that is unique."""
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Out:
    """Where a command prints: results to standard output, everything else to standard error."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._trouble = ""
        self.colour = (
            sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        for stream in (sys.stdout, sys.stderr):
            # A terminal or pipe that can't show a character is no reason to fail.
            getattr(stream, "reconfigure", lambda **_: None)(errors="replace")

    def say(self, text: str) -> None:
        """A word to the person, beside the result."""
        print(text, file=sys.stderr, flush=True)

    def trouble(self, error: NixFleetError) -> None:
        """A follower lost its connection and goes on trying."""
        reason = clean(str(error))
        if reason != self._trouble:  # the same again is no news
            self._trouble = reason
            self.say(f"nixfleet: {reason}; trying again")

    def goes_on(self, run_id: str) -> None:
        """We leave before the run's end."""
        short = run_id[:ID_SHOWN]
        self.say(
            f"run {short} goes on: `nixfleet logs {short} --follow` shows it, `nixfleet stop {short}` ends it"
        )

    def line(self, text: str) -> None:
        print(text, flush=True)

    def data(self, value: Any) -> None:
        """One JSON value on one line, ASCII only: whatever a host sent, the terminal stays as it is."""
        self.line(json.dumps(value, separators=(",", ":")))

    def run(self, view: RunView) -> None:
        """A run as JSON."""
        self.data(asdict(view))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
        """Aligned columns; what is not known is a dash."""
        cells = [list(head), *([clean(cell or "") or "-" for cell in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def fields(self, rows: Iterable[tuple[str, str | None]]) -> None:
        """One thing, a field a line; what is not known is a dash."""
        for name, value in rows:
            self.line(f"{name:<14}{clean(value or '') or '-'}")

    def outcome(self, view: RunView, *, details: bool) -> None:
        """How a run ended, in one line; with `details` also what failed tests printed."""
        good = view.result in GOOD_RESULTS
        exit_code = f", exit code {view.exit_code}" if view.exit_code and not good else ""
        took = duration(view.started_at, view.ended_at)
        text = f"{view.host_id} {view.command}: {view.result or view.state}{exit_code}" + (
            f" after {took}" if took else ""
        )
        text = clean(text + (f" – {view.message}" if view.message else ""))
        self.line(f"\x1b[{32 if good else 31}m{text}\x1b[0m" if self.colour else text)
        for failure in view.tests.failures if view.tests else ():
            code = "" if failure.exit_code is None else f" (exit code {failure.exit_code})"
            self.line(f"  {clean(failure.name)}{code}")
            for line in failure.output.splitlines() if details else ():
                self.line(f"    {Cleaner(self.colour).feed(shown(line))}")


class LogPrinter:
    """Prints the records of one log: as text, with `raw` as the program's own bytes, or as JSON lines."""

    def __init__(self, out: Out, *, raw: bool = False) -> None:
        self._out = out
        self._colour = out.colour
        self._cleaners: dict[str, Cleaner] = {}
        self._put = self._raw if raw else self._json if out.json else self._text
        self._open = False

    def record(self, record: LogRecord) -> None:
        self._put(record)

    def end(self) -> None:
        """Leave the terminal tidy: colours off, at the start of a line."""
        if self._cleaners:
            sys.stdout.write(("\x1b[0m" if self._colour else "") + ("\n" if self._open else ""))
        sys.stdout.flush()

    def _raw(self, record: LogRecord) -> None:
        sys.stdout.buffer.write(to_bytes(record.line) + (b"" if record.partial else b"\n"))
        sys.stdout.buffer.flush()

    def _json(self, record: LogRecord) -> None:
        self._out.data(asdict(record))

    def _text(self, record: LogRecord) -> None:
        cleaner = self._cleaners.setdefault(record.stream, Cleaner(self._colour))
        text = cleaner.feed(shown(record.line), end_of_line=not record.partial)
        sys.stdout.write(text if record.partial else text + "\n")
        sys.stdout.flush()
        self._open = record.partial


def ago(millis: int | None) -> str | None:
    """A moment as its distance from now, as `3 min ago`."""
    if millis is None:
        return None
    seconds = max(0, int(time.time() - millis / 1000))
    return f"{_largest(seconds)} ago" if seconds else "now"


def ahead(millis: int | None) -> str | None:
    """A moment to come as its distance from now, as `3 min`; one that has passed as `over`."""
    if millis is None:
        return None
    seconds = int(millis / 1000 - time.time())
    return _largest(seconds) if seconds > 0 else "over"


def duration(began: int | None, ended: int | None) -> str | None:
    """The time between two moments in milliseconds, as `12 s` or `3 min`."""
    if began is None or ended is None:
        return None
    return _largest(round(max(0, ended - began) / 1000))


def _largest(seconds: int) -> str:
    size, unit = next((row for row in _UNITS if seconds >= row[0] * 2), _UNITS[-1])
    return f"{seconds // size} {unit}"
