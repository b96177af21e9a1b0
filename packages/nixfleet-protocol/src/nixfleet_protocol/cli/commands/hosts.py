"""Show all hosts: presence, what they run, what happened last."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nixfleet_protocol.cli.output import Out, ago
from nixfleet_protocol.client import Client, HostView

HEAD = ("HOST", "STATE", "PLATFORM", "GENERATION", "CHECKOUT", "CPU", "RAM", "LAST RUN", "SEEN")


def arguments(parser: ArgumentParser) -> None:
    """`nixfleet hosts` takes none of its own."""


def do(args: Namespace, client: Client, out: Out) -> int:
    """Print the hosts by criticality, then name."""
    hosts = client.hosts()
    if out.json:
        out.data({"hosts": [asdict(host) for host in hosts]})
    elif hosts:
        out.table(HEAD, (_row(host) for host in hosts))
    else:
        out.say("no hosts yet: `nixfleet-server host add NAME` adds one and prints its token")
    return 0


def _row(host: HostView) -> tuple[str | None, ...]:
    facts = host.facts
    metrics = host.metrics if host.connected else None  # what it was before it left would mislead
    return (
        host.host_id,
        _state(host),
        host.platform,
        facts.generation if facts else None,
        facts.commit[:8] if facts and facts.commit else None,
        _percent(metrics.cpu if metrics else None),
        _percent(metrics.ram if metrics else None),
        f"{host.last_run.command} {host.last_run.result or host.last_run.state}" if host.last_run else None,
        ago(host.last_seen_at),
    )


def _state(host: HostView) -> str:
    words = [host.presence]
    if host.pending_command:
        words.append(f"{host.pending_command} runs")
    if host.queued:
        words.append(f"{host.queued} wait")
    if host.flapping:
        words.append("two agents take turns")
    return ", ".join(words)


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f} %"
