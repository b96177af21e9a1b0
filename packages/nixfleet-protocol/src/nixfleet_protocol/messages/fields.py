"""The field types that messages share: ids, times, words. Shapes, units and ranges stand in the markers."""

from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Flag, Number, OneOf, Text, Whole

RunId = Annotated[str, Text(32, pattern="[0-9a-f]{32}")]
"""A run's id: 32 hexadecimal digits, given by the server."""
HostId = Annotated[
    str, Text(limits.HOSTNAME_MAX, min=1, pattern="[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
]
"""A host's short name; it is the host's id everywhere."""
Command = Annotated[str, Text(32, min=1, pattern="[a-z]([a-z-]{0,30}[a-z])?")]
ProtocolVersion = Annotated[str, Text(9, pattern="[0-9]{1,4}[.][0-9]{1,4}")]
Word = Annotated[str, Text(limits.WORD_MAX)]
Sentence = Annotated[str, Text(limits.TEXT_MAX)]
Path = Annotated[str, Text(limits.PATH_MAX)]
Line = Annotated[str, Text(limits.LINE_MAX)]
"""Output as text with the lossless escape of `nixfleet_protocol.text`; never holds a line feed."""
Millis = Annotated[int, Whole(0, limits.SEQ_MAX)]
"""A moment: milliseconds since 1970-01-01 UTC."""
Seq = Annotated[int, Whole(0, limits.SEQ_MAX)]
Count = Annotated[int, Whole(0, limits.SEQ_MAX)]
Pid = Annotated[int, Whole(1, 2**31 - 1)]
ExitCode = Annotated[int, Whole(-255, 255)]
Percent = Annotated[float, Number(0, 100)]
Seconds = Annotated[float, Number(0, limits.TIMEOUT_MAX)]
Interval = Annotated[float, Number(limits.INTERVAL_MIN, limits.INTERVAL_MAX)]
Bool = Annotated[bool, Flag()]
Commit = Annotated[str, Text(64, pattern="[0-9a-f]{7,64}")]
Ref = Annotated[str, Text(255, min=1, pattern="[A-Za-z0-9_][A-Za-z0-9_./+-]*")]
"""A git branch, tag or commit; can't begin with `-`, so never an option to git."""

Platform = Annotated[str, OneOf("nixos", "nix-darwin", "home-manager", "script", other="unknown")]
Stream = Annotated[str, OneOf("stdout", "stderr", "note")]
"""Where a line came from; `note` is NixFleet's own word between the program's lines."""
Presence = Annotated[str, OneOf("new", "online", "stale", "offline", "unreachable", other="offline")]
"""`new`: never connected; `unreachable`: not connected while a run is under way there."""
Criticality = Annotated[str, OneOf("high", "medium", "low", other="medium")]
RunState = Annotated[str, OneOf("queued", "sent", "running", "ended")]
Result = Annotated[
    str,
    OneOf(
        "ok",
        "failed",
        "degraded",
        "unconfirmed",
        "stopped",
        "rolled_back",
        "rejected",
        "interrupted",
        "expired",
        "timed_out",
        "lost",
        other="failed",
    ),
]
AgentStatus = Annotated[
    str,
    OneOf(
        "running",
        "ok",
        "failed",
        "degraded",
        "unconfirmed",
        "stopped",
        "rolled_back",
        "rejected",
        "interrupted",
        "timed_out",
        other="failed",
    ),
]
