"""What a Nix program writes to standard error, taken apart: lines for the log and a state for the progress display."""

from nixfleet_agent.nix.internal_json import INFO, PREFIX, decode
from nixfleet_agent.nix.lines import LineSplitter
from nixfleet_agent.nix.progress import Progress, Snapshot
from nixfleet_agent.nix.readable import Readable
from nixfleet_agent.nix.text import cap


class NixLog:
    """Reads one stream. `prefix` is empty for what `--json-log-path` writes; `level` is the highest level shown."""

    def __init__(self, prefix: bytes = PREFIX, level: int = INFO) -> None:
        self._prefix = prefix
        self._splitter = LineSplitter()
        self._progress = Progress(prefix)
        self._readable = Readable(level)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes, cut anywhere; returns the lines they add to the log, without line feeds.

        Lines that aren't Nix's records come back as they are, but for what is longer than a log record may be.
        """
        return self._read(self._splitter.feed(data))

    def end(self) -> list[bytes]:
        """The stream ended: the last lines for the log. After it nothing is planned or running any more."""
        lines = self._read(self._splitter.end())
        self._progress.end()
        return lines

    def snapshot(self) -> Snapshot:
        """How far Nix is now."""
        return self._progress.snapshot()

    def _read(self, lines: list[bytes]) -> list[bytes]:
        shown: list[bytes] = []
        skip = self._progress.skip
        for line in lines:
            if skip(line):
                continue
            record = decode(line, self._prefix)
            if record is None:
                shown.append(cap(line))
            else:
                self._progress.add(record)
                shown += self._readable.lines(record)
        return shown
