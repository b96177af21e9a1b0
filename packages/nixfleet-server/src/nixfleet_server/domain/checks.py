"""What is checked before a command is sent and after it ended. What isn't known is never held against a host."""

from typing import NamedTuple

from nixfleet_protocol.messages import Facts, Options, Status
from nixfleet_protocol.states import GOOD_RESULTS

ALREADY_CURRENT = "already_current"
GIT_OUTDATED = "git_outdated"
GOAL_ACHIEVED = "goal achieved"
PARTIAL = "partial"
NOT_ACHIEVED = "goal not achieved"
_SWITCHES = frozenset({"switch", "pull-switch"})
_PULLS = frozenset({"pull", "pull-switch"})


class Finding(NamedTuple):
    """What was found before a command: its word, the words for a person, and whether it is refused without `force`."""

    word: str
    text: str
    refused: bool = False


def before(command: str, options: Options, facts: Facts | None) -> Finding | None:
    """Look at what the host last told of itself. Only `switch` can be foreseen: what a pull brings nobody knows yet."""
    if command != "switch" or facts is None:
        return None
    if is_current(facts):
        text = (
            f"it runs {_short(facts.commit)}, which is what is checked out; to switch all the same, force it"
        )
        return Finding(ALREADY_CURRENT, text, refused=not options.force)
    if facts.behind:
        text = f"{facts.behind} commits behind {facts.branch or 'its branch'}, as last fetched"
        return Finding(GIT_OUTDATED, text)
    return None


def is_current(facts: Facts) -> bool:
    """Whether it is proven that the host runs what is checked out, whole and as NixFleet left it."""
    return (
        facts.commit is not None
        and facts.configuration_revision == facts.commit
        and facts.dirty is False
        and facts.system == "normal"
        and not facts.changed_outside
        and not facts.failed_units
    )


def after(command: str, options: Options, facts: Facts | None, status: Status) -> str:
    """Whether the command's goal was reached, as a sentence that begins with one of the words above; "" if unknown.

    `facts` are those from before it began: what a host tells later may already be of the next command.
    """
    if status.status not in GOOD_RESULTS:
        done = [step.name for step in status.outcome.steps if step.outcome == "ok"] if status.outcome else []
        missed = (
            [step.name for step in status.outcome.steps if step.outcome in ("failed", "stopped")]
            if status.outcome
            else []
        )
        if done and missed:
            return f"{PARTIAL}: {', '.join(done)} done, {', '.join(missed)} not"
        return ""
    reasons = [reason for reason in _missed(command, options, facts, status) if reason is not None]
    if not reasons:
        return ""
    wrong = next((reason for reason in reasons if reason), "")
    return f"{NOT_ACHIEVED}: {wrong}" if wrong else GOAL_ACHIEVED


def _missed(command: str, options: Options, facts: Facts | None, status: Status) -> list[str | None]:
    """For each thing the command was for: what is wrong, "" when it is as it should be, None when nobody knows."""
    found: list[str | None] = []
    if command in _PULLS:
        found.append(_pulled(options, facts, status))
    if command in _SWITCHES and status.outcome is not None and status.outcome.store_path is not None:
        found.append("")
    if command == "rollback" and options.generation is not None and status.generation is not None:
        wanted = str(options.generation)
        same = status.generation == wanted or not status.generation.isdigit()
        found.append("" if same else f"the host is at generation {status.generation}, not {wanted}")
    return found


def _pulled(options: Options, facts: Facts | None, status: Status) -> str | None:
    if status.commit is None:
        return None
    if options.ref is not None:
        if len(options.ref) < 7 or not set(options.ref) <= set("0123456789abcdef"):
            return None  # a branch or tag: only its repository knows where it is
        return (
            "" if same_commit(options.ref, status.commit) else f"the checkout is at {_short(status.commit)}"
        )
    if facts is None or facts.commit is None:
        return None
    if same_commit(facts.commit, status.commit) and facts.behind:
        return f"the checkout is still at {_short(status.commit)}, {facts.behind} commits behind"
    return ""


def same_commit(one: str | None, other: str | None) -> bool:
    """Whether two commits are one, of which either may be shortened. What is unknown is like nothing."""
    if not one or not other:
        return False
    size = min(len(one), len(other))
    return size >= 7 and one[:size] == other[:size]


def _short(commit: str | None) -> str:
    return (commit or "?")[:7]
