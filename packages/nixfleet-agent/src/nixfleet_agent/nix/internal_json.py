"""Nix's internal-json log (`--log-format internal-json`): what its records are, and how to read one without trusting it.

A line `@nix {"action": …}` is a record; any other line is output of somebody else and passes through. What
`--json-log-path` (Nix 2.30 and later) writes is the same without the `@nix ` in front.

Nothing is required of a record: absent fields, unknown types and numbers of any size are all fine, because Nix adds
to this format without notice and a builder can write to the same stream.
"""

import json
from dataclasses import dataclass
from enum import IntEnum

from nixfleet_protocol import limits

PREFIX = b"@nix "
"""In front of each record on standard error."""
ERROR, INFO = 0, 3
"""Levels of messages, from Nix's 0 (error) to 7 (vomit). A person sees up to INFO unless she asks for more."""


class Activity(IntEnum):
    """The `type` of a `start` record; others exist and don't matter here."""

    COPY_PATH = 100
    FILE_TRANSFER = 101
    REALISE = 102
    COPY_PATHS = 103
    BUILDS = 104
    BUILD = 105
    SUBSTITUTE = 108
    POST_BUILD_HOOK = 110


class Result(IntEnum):
    """The `type` of a `result` record; others exist and don't matter here."""

    BUILD_LOG_LINE = 101
    SET_PHASE = 104
    PROGRESS = 105
    SET_EXPECTED = 106
    POST_BUILD_LOG_LINE = 107


@dataclass(slots=True)
class Record:
    """One record. What was absent or of a wrong type is None, "", -1 or ()."""

    action: str
    id: int | None
    type: int
    level: int
    words: str
    """The `text` of a start, the `msg` of a message; raw, with Nix's colours."""
    fields: tuple[object, ...]

    def text(self, index: int) -> str:
        """A field that should be text."""
        value = self.fields[index] if index < len(self.fields) else ""
        return value if isinstance(value, str) else ""

    def count(self, index: int) -> int:
        """A field that should be a count: 0 to 2^53-1."""
        return _whole(self.fields[index], 0) if index < len(self.fields) else 0


def decode(line: bytes, prefix: bytes = PREFIX) -> Record | None:
    """Read one line without its line feed; None when it isn't a record."""
    if not line.startswith(prefix + b"{"):
        return None
    try:
        # Not bytes: json would guess at UTF-16 and UTF-32 too.
        data = json.loads(line[len(prefix) :].decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(action := data.get("action"), str):
        return None
    identity = data.get("id")
    words = data.get("msg" if action == "msg" else "text")
    fields = data.get("fields")
    return Record(
        action,
        identity if type(identity) is int else None,
        _whole(data.get("type"), -1),
        _whole(data.get("level"), INFO),
        words if isinstance(words, str) else "",
        tuple(fields) if isinstance(fields, list) else (),
    )


def _whole(value: object, otherwise: int) -> int:
    if type(value) is not int:  # True is an int too, and no count
        return otherwise
    return min(max(value, 0), limits.SEQ_MAX)
