"""What the webhook is told, and when it is tried again."""

from typing import Any

from nixfleet_protocol.messages import RunView

BAD_RESULTS = frozenset(
    {"failed", "degraded", "unconfirmed", "rolled_back", "interrupted", "timed_out", "lost"}
)
"""Results that a person should hear of. What was stopped, rejected or expired somebody knows already."""
GIVE_UP_MS = 3 * 24 * 3600 * 1000
"""An event that could not be delivered for so long is news to nobody."""
_RETRY_FIRST, _RETRY_MOST = 5.0, 3600.0


def of_run(run: RunView) -> tuple[str, dict[str, Any]] | None:
    """The key and body of a run's end; None when it is no event."""
    if run.result not in BAD_RESULTS or run.command == "stop":
        return None
    rolled_back = run.result == "rolled_back"
    body = {
        "event": "run_rolled_back" if rolled_back else "run_failed",
        "host_id": run.host_id,
        "run_id": run.run_id,
        "command": run.command,
        "result": run.result,
        "exit_code": run.exit_code,
        "message": run.message,
        "started_by": run.started_by,
        "text": f"{run.command} on {run.host_id}: {run.result}"
        + (f" ({run.message})" if run.message else ""),
    }
    return f"run:{run.run_id}", body


def of_offline(host: str, last_seen_at: int) -> tuple[str, dict[str, Any]]:
    """The key and body of a host's outage: one for each time it was last seen."""
    body = {
        "event": "host_offline",
        "host_id": host,
        "last_seen_at": last_seen_at,
        "text": f"{host} is offline",
    }
    return f"offline:{host}:{last_seen_at}", body


def retry_after(attempts: int) -> float:
    """Seconds until the next attempt, after so many."""
    return min(_RETRY_MOST, _RETRY_FIRST * 2.0 ** min(attempts - 1, 20))
