"""`reboot`: announced, then asked of the system; confirmed by a new boot id, which only the next start can see.

The run has no result while the host is down. Its journal says that a reboot was asked for, so `settle` knows afterwards
what the runner's death meant.
"""

import json
import os
import time
from typing import Any

from nixfleet_agent.config import Config
from nixfleet_agent.files import Disk, read_json
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Ended, Failed
from nixfleet_agent.system import boot_id

ANNOUNCE = 3.0
"""Seconds between the announcement and the reboot: time for it to reach the server, and to stop it."""
DOWN_LIMIT = 300.0
"""Seconds for the host to go down: services that don't end take 90 s, some have several of these."""
_MARK = "reboot.json"
_PROGRAMS = {
    "nixos": ("/run/current-system/sw/bin/systemctl", "reboot"),
    "nix-darwin": ("/sbin/shutdown", "-r", "now"),
    "script": ("/sbin/shutdown", "-r", "now"),
}


def run(context: Context) -> tuple[str, int | None, str]:
    """Ask for the reboot and wait to be killed by it. Returns status, exit code and message; a status of "": later.

    Raises Failed when the system refuses, Ended when stopped before it was asked.
    """
    config, path = context.config, context.journal.path
    program, *words = _PROGRAMS[config.platform]
    reason = context.request.options.reason
    limit = min(context.request.options.timeout or DOWN_LIMIT, DOWN_LIMIT)
    context.plan(1)
    with context.step("reboot"):
        context.note(f"reboot: in {ANNOUNCE:g} s" + (f" ({reason})" if reason else ""))
        context.sleep(ANNOUNCE)
        body = {
            "boot_id": boot_id(config.files),
            "at": time.time_ns() // 1_000_000,
            "uptime": time.monotonic(),
            "limit": limit,
        }
        Disk().replace(os.path.join(path, _MARK), json.dumps(body).encode())
        try:
            with context.shielded():
                argv = [config.files.real(program), *words]
                context.must("the system refused to reboot", argv, "/", timeout=60)
        except Failed:
            if (
                not context.stop_asked
            ):  # else the reboot itself was so quick as to end the program that asked for it
                os.unlink(os.path.join(path, _MARK))
                raise
    context.note("reboot: the host is going down")
    try:
        context.sleep(limit)
    except Ended as ended:
        if ended.result == "stopped":  # by the reboot itself
            return "", None, ""
    result, message = _still_up(body)
    return result, 124, message


def asked(path: str) -> bool:
    """Whether the run in this journal has asked for a reboot."""
    return read_json(os.path.join(path, _MARK)) is not None


def outcome(config: Config, path: str) -> tuple[str, str] | None:
    """What became of a reboot that was asked for: result and message; None while it may still come."""
    body = read_json(os.path.join(path, _MARK)) or {}
    before, now = body.get("boot_id"), boot_id(config.files)
    if before and now and before != now:
        seconds = max(0.0, time.time() - body.get("at", 0) / 1000)
        return "ok", f"the host has rebooted; it was back within {seconds:.0f} s"
    if time.monotonic() - body.get("uptime", 0.0) < body.get("limit", DOWN_LIMIT):
        return None
    return _still_up(body)


def _still_up(body: dict[str, Any]) -> tuple[str, str]:
    return "timed_out", f"the host did not go down within {body.get('limit', DOWN_LIMIT):g} s"
