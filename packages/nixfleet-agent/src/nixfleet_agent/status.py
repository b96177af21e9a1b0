"""`nixfleet-agent status`: what the resident last wrote about itself, checked against its lock."""

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from nixfleet_agent.__about__ import __version__
from nixfleet_agent.files import read_json
from nixfleet_agent.lock import is_held

if TYPE_CHECKING:
    from nixfleet_agent.config import Config
    from nixfleet_agent.core import Core

EXIT = {"connected": 0, "not running": 1}
"""Exit codes; whatever else the connection may be, it is none: 3."""


def status_of(core: "Core", config: "Config", started: float) -> dict[str, Any]:
    """What a resident writes about itself; `started` by the monotonic clock."""
    running = core.running
    return {
        "pid": os.getpid(),
        "hostname": config.hostname,
        "version": __version__,
        "url": str(config.url),
        "connection": core.connection,
        "started": started,
        "opened": core.opened_at,
        "lost": core.lost_at,
        "goodbye": core.away_until,
        "error": core.error,
        "server_version": core.registered.server_version if core.registered else None,
        "protocol": core.registered.protocol if core.registered else None,
        "last_heartbeat_at": core.beat_sent_at,
        "running": {"run_id": running.run_id, "command": running.command, "pid": running.pid}
        if running
        else None,
        "undelivered": core.undelivered,
    }


def load(state_dir: str) -> dict[str, Any]:
    """The status as it is printed by `--json`. `connection` is `not running` when no agent holds the lock."""
    found = _printable(read_json(os.path.join(state_dir, "status.json")) or {})
    if not is_held(os.path.join(state_dir, "agent.lock")):
        keep: dict[str, Any] = {key: found[key] for key in ("hostname", "version", "url") if key in found}
        return {"connection": "not running", "state_dir": state_dir, **keep}
    return {"connection": "starting", "state_dir": state_dir, **found}


def _printable(value: Any) -> Any:
    """Without what a terminal would obey: root may ask what an agent of less right has written."""
    if isinstance(value, dict):
        return {_printable(key): _printable(one) for key, one in value.items()}
    if isinstance(value, str):
        return "".join(char if char.isprintable() else "?" for char in value)
    return value


def show(state_dir: str, as_json: bool) -> int:
    """Print it. Exit code 0 connected, 1 not running, 3 running but not connected."""
    found = load(state_dir)
    out = sys.stdout.write
    if as_json:
        out(json.dumps(found, indent=2) + "\n")
        return EXIT.get(found["connection"], 3)
    if found["connection"] == "not running":
        out(f"The agent is not running (state directory {state_dir}).\n")
        return 1
    out(f"{found.get('hostname', '?')}: {found['connection']}, agent {found.get('version', '?')}\n")
    server = found.get("server_version")
    speaks = f" (version {server}, protocol {found.get('protocol')})" if server else ""
    out(f"server       {found.get('url', '?')}{speaks}\n")
    if found.get("error"):
        out(f"last error   {found['error']}\n")
    beat = found.get("last_heartbeat_at")
    out(f"heartbeat    {_ago(beat) if beat else 'none yet'}\n")
    run = found.get("running")
    out(
        f"running      {run['command']} (run {run['run_id']}, process {run['pid']})\n"
        if run
        else "running      nothing\n"
    )
    if found.get("undelivered"):
        out(f"undelivered  {found['undelivered']} (runs that the server has not confirmed as ended)\n")
    return EXIT.get(found["connection"], 3)


def _ago(millis: int) -> str:
    return f"{max(0, time.time() - millis / 1000):.0f} s ago"
