"""The log as a person reads it, from Nix's records: what `nix build -L` would have printed."""

from nixfleet_agent.nix.internal_json import INFO, Activity, Record, Result
from nixfleet_agent.nix.text import cap, coloured, store_name

_NAMED: dict[int, str] = {Activity.BUILD: "", Activity.POST_BUILD_HOOK: " (post)"}
_LOG_LINES = (Result.BUILD_LOG_LINE, Result.POST_BUILD_LOG_LINE)
_NAMES_MAX = 4096


class Readable:
    """Turns records into lines. `level` is the highest level of message that is shown."""

    def __init__(self, level: int = INFO) -> None:
        self._level = level
        self._names: dict[int, str] = {}
        self._last: dict[int, str] = {}

    def lines(self, record: Record) -> list[bytes]:
        """The lines, without line feeds, that this record adds to the log; most add none."""
        match record.action:
            case "msg":
                return self._message(record.words, record.level)
            case "start":
                return self._start(record)
            case "result":
                return self._result(record)
            case "stop" if record.id is not None:
                self._names.pop(record.id, None)
                self._last.pop(record.id, None)
        return []

    def _message(self, words: str, level: int) -> list[bytes]:
        if level > self._level:
            return []
        return [cap(line.rstrip().encode()) for line in coloured(words).split("\n")]

    def _start(self, record: Record) -> list[bytes]:
        suffix = _NAMED.get(record.type)
        if suffix is not None and record.id is not None and len(self._names) < _NAMES_MAX:
            self._names[record.id] = coloured(store_name(record.text(0))) + suffix
        return self._message(record.words + "...", record.level) if record.words else []

    def _result(self, record: Record) -> list[bytes]:
        name = self._names.get(record.id, "") if record.id is not None else ""
        if record.type in _LOG_LINES:
            line = record.text(0)
        elif record.type == Result.SET_PHASE:
            line = f"Running phase: {record.text(0)}"
            if self._last.get(record.id or 0) == line:  # newer builders print just this themselves
                return []
        else:
            return []
        if name and record.id is not None:
            self._last[record.id] = line
        prefix = f"{name}> " if name else ""
        return [cap((prefix + part).rstrip().encode()) for part in coloured(line).split("\n")]
