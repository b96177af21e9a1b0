"""The life of a run and the table of commands: facts that server, agent, client and page share."""

from typing import NamedTuple

# A run is always in one of four states. A run ends once: no transition leaves `ended`.
#
#   queued ──send──▶ sent ──begin──▶ running ──end──▶ ended
#      └──────────────┴───────end──────────────────────▲
#
RUN: dict[str, dict[str, str]] = {
    "queued": {"send": "sent", "end": "ended"},
    "sent": {"send": "sent", "begin": "running", "end": "ended"},
    "running": {"begin": "running", "end": "ended"},
    "ended": {},
}

GOOD_RESULTS = frozenset({"ok"})
"""Results that count as success: `nixfleet run` exits with 0."""


class CommandRule(NamedTuple):
    """What holds for a command everywhere."""

    summary: str
    always: bool = False
    """Accepted also while another command runs."""
    options: tuple[str, ...] = ()
    """Names of `Options` fields it takes, `timeout`, `queue` and `reason` aside."""


COMMANDS: dict[str, CommandRule] = {
    "pull": CommandRule("Update the repository to the newest commit of its branch", options=("ref",)),
    "switch": CommandRule(
        "Build and activate the configuration of the checked-out commit", options=("force",)
    ),
    "pull-switch": CommandRule("Pull, then switch; stops if the pull fails", options=("ref", "force")),
    "test": CommandRule("Run the host's tests, hosts/HOST/tests/T*.sh"),
    "stop": CommandRule("End the command that runs", always=True, options=("target", "force")),
    "restart": CommandRule("Restart the agent", always=True),
    "update": CommandRule("Bring the agent to its newest version"),
    "rollback": CommandRule("Return to an earlier generation", options=("generation",)),
    "reboot": CommandRule("Reboot the host"),
    "fetch": CommandRule("Learn the newest commit of the branch; changes nothing", options=("ref",)),
    "check": CommandRule(
        "Show what a switch, or a rollback to the generation, would change; changes nothing",
        options=("ref", "generation"),
    ),
}
"""Every command there is. What a host can do is in its `register`."""


class IllegalTransition(ValueError):
    """The run's state does not allow this event."""


def next_state(state: str, event: str) -> str:
    """The state after an event. Raises IllegalTransition when the table has no such row."""
    try:
        return RUN[state][event]
    except KeyError:
        raise IllegalTransition(f"a run that is {state} can't {event}") from None
