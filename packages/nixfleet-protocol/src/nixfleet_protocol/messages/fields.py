"""The field types that messages share: ids, times, words. Shapes, units and ranges stand in the markers."""

from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Flag, Number, OneOf, Text, Whole

RunId = Annotated[str, Text(32, pattern="[0-9a-f]{32}"), "id of the run, given by the server"]
HostId = Annotated[
    str,
    Text(limits.HOSTNAME_MAX, min=1, pattern="[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"),
    "the host's short name, which is its id everywhere",
]
Command = Annotated[str, Text(32, min=1, pattern="[a-z]([a-z-]{0,30}[a-z])?"), "name of the command"]
ProtocolVersion = Annotated[str, Text(9, pattern="[0-9]{1,4}[.][0-9]{1,4}"), "protocol version, MAJOR.MINOR"]
Word = Annotated[str, Text(limits.WORD_MAX)]
Sentence = Annotated[str, Text(limits.TEXT_MAX)]
Notes = Annotated[str, Text(limits.NOTES_MAX)]
Path = Annotated[str, Text(limits.PATH_MAX)]
Line = Annotated[
    str, Text(limits.LINE_MAX), "the output as text, see Encoding of bytes; never holds a line feed"
]
Millis = Annotated[int, Whole(0, limits.SEQ_MAX), "milliseconds since 1970-01-01 UTC"]
Seq = Annotated[int, Whole(0, limits.SEQ_MAX)]
Count = Annotated[int, Whole(0, limits.SEQ_MAX)]
Pid = Annotated[int, Whole(1, 2**31 - 1)]
ExitCode = Annotated[int, Whole(-255, 255)]
Percent = Annotated[float, Number(0, 100)]
Seconds = Annotated[float, Number(0, limits.TIMEOUT_MAX)]
Interval = Annotated[float, Number(limits.INTERVAL_MIN, limits.INTERVAL_MAX)]
Bool = Annotated[bool, Flag()]
Commit = Annotated[str, Text(64, pattern="[0-9a-f]{7,64}")]
Ref = Annotated[
    str,
    Text(255, min=1, pattern="[A-Za-z0-9_][A-Za-z0-9_./+-]*"),
    "a git branch, tag or commit",
]
"""A git branch, tag or commit; can't begin with `-`, so never an option to git."""

Platform = Annotated[
    str,
    OneOf("nixos", "nix-darwin", "home-manager", "script", other="unknown"),
    "how its configuration is applied",
]
Stream = Annotated[
    str,
    OneOf("stdout", "stderr", "note"),
    "where the line came from; `note` is NixFleet's own word between the program's lines",
]
Presence = Annotated[
    str,
    OneOf("new", "online", "stale", "offline", "unreachable", other="offline"),
    "`new`: never connected; `stale`: silent for 2 to 3 intervals; `unreachable`: not connected while a run is under way",
]
Criticality = Annotated[
    str, OneOf("high", "medium", "low", other="medium"), "how much it matters, for the order of the list"
]
RebootNeed = Annotated[
    str,
    OneOf("required", "advised", "no", "unknown", other="unknown"),
    '`unknown`: not everything could be compared, which is never "no"',
]
RunState = Annotated[str, OneOf("queued", "sent", "running", "ended"), "see States of a run"]
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
    "`running` when it began, else how it ended",
]
