"""Keep what was activated, or go back: one table, read from the top, the first row that fits decides.

Pure: what is asked here was found out by `probes` and the resident's status. The same table is in docs/operations.md.
"""

from typing import Any, NamedTuple

from nixfleet_agent.runner.guard import Verdict


class Situation(NamedTuple):
    """What is known when the window ends, or as soon as it can end well."""

    first: bool
    """There is no system to return to."""
    armed: bool
    """The server was there in the minute before the activation."""
    confirmed: bool
    """The new agent has registered with the server on a new connection."""
    healthy: bool
    """The configured health check passes; also true when there is none, or when it failed before already."""
    server: str
    """`answers` or `silent`, asked by the runner itself."""
    local: bool
    """The server is on this very host."""
    goodbye: bool
    """The server had said that it goes."""
    probes: str
    """The other places: `some` of them answer, all are `silent`, or there are `none` to ask."""


class Row(NamedTuple):
    """When the named fields are so: keep or not, seen to be reachable or not, and why."""

    when: dict[str, Any]
    keep: bool
    confirmed: bool
    reason: str


TABLE: tuple[Row, ...] = (
    Row({"confirmed": True, "healthy": True}, True, True, "the new agent reached the server"),
    Row({"first": True}, True, False, "there is no earlier system to return to"),
    Row({"healthy": False}, False, False, "the health check fails"),
    Row({"armed": False}, True, False, "the server was unreachable before the switch already"),
    Row({"server": "answers"}, False, False, "the server answers, but the new agent did not register"),
    Row({"probes": "some"}, True, False, "the server alone is unreachable: other places answer"),
    Row({"probes": "silent"}, False, False, "neither the server nor any other place answers"),
    Row({"goodbye": True}, True, False, "the server said goodbye and is not back"),
    Row({"local": True}, True, False, "the server is on this host and is not back"),
    Row({}, False, False, "the server is unreachable, and there is no other place to ask"),
)


def decide(situation: Situation) -> Verdict:
    """The first row that fits."""
    known = situation._asdict()
    row = next(row for row in TABLE if all(known[name] == value for name, value in row.when.items()))
    return Verdict(row.keep, row.confirmed, row.reason)


_WORDS = {
    ("confirmed", True): "the new agent registered on a new connection",
    ("healthy", True): "the health check passes, or there is none",
    ("first", True): "it is the first generation",
    ("healthy", False): "the health check fails, and passed before",
    ("armed", False): "the server was not there in the minute before the activation",
    ("server", "answers"): "the server answers on `/livez`",
    ("probes", "some"): "one of the probes answers",
    ("probes", "silent"): "no probe answers",
    ("goodbye", True): "the server had said goodbye",
    ("local", True): "the server's address is this host's own",
}


def table() -> str:
    """The table as Markdown, for docs/operations.md."""
    lines = ["| when, read from the top | the new system | the run |", "|---|---|---|"]
    for row in TABLE:
        when = " and ".join(_WORDS[item] for item in row.when.items()) or "otherwise: no probes"
        run = "`ok`" if row.confirmed else "`unconfirmed`" if row.keep else "`rolled_back`"
        lines.append(f"| {when} | {'stays' if row.keep else 'goes'} | {run}: {row.reason} |")
    return "\n".join(lines)
