"""The commands a runner can do: each a row of a table, each a list of steps."""

from collections.abc import Callable
from typing import NamedTuple

from nixfleet_agent import platforms
from nixfleet_agent.repository import Repository, exclusive
from nixfleet_agent.runner import tests
from nixfleet_agent.runner.context import Context, Ended, Failed
from nixfleet_protocol.messages import ProgressState, TestReport


class Result(NamedTuple):
    """How a command ended."""

    status: str
    exit_code: int | None
    message: str
    tests: TestReport | None = None


Step = Callable[[Context, Repository], str]


def _pull(context: Context, repository: Repository) -> str:
    context.progress(ProgressState(phase="fetch"))
    before = repository.head()
    repository.pull(context)
    after = repository.head()
    if after is None:
        raise Failed("the repository has no commit after the pull")
    return f"already at {after[:12]}" if after == before else f"now at {after[:12]}"


def _switch(context: Context, repository: Repository) -> str:
    repository.ensure(context)
    return platforms.of(context.config).switch(context, repository.path, repository.head())


COMMANDS: dict[str, tuple[Step, ...]] = {
    "pull": (_pull,),
    "switch": (_switch,),
    "pull-switch": (_pull, _switch),
}
DOES = (*COMMANDS, "test")
"""What a runner can do."""


def perform(context: Context) -> Result:
    """Do what the request asks. Never raises for what a host can do to us: the outcome says it."""
    command = context.request.command
    outcome = tests.Outcome() if command == "test" else None
    try:
        repository = Repository(context.config)
        with exclusive(context.config, context.check):
            message = _test(context, repository, outcome) if outcome else _steps(context, repository, command)
    except Ended as ended:
        return _ended(context, ended, outcome)
    except Failed as failed:
        return Result("failed", failed.exit_code, str(failed), outcome.report() if outcome else None)
    except OSError as error:
        return Result("failed", 1, f"{error.filename or command}: {error.strerror}")
    if outcome:
        return Result(
            "failed" if outcome.failed else "ok", int(outcome.failed > 0), message, outcome.report()
        )
    return Result("ok", 0, message)


def _steps(context: Context, repository: Repository, command: str) -> str:
    done = []
    for step in COMMANDS[command]:
        context.check()
        done.append(step(context, repository))
    return "; ".join(done)


def _test(context: Context, repository: Repository, outcome: tests.Outcome) -> str:
    repository.ensure(context)
    tests.run(context, repository.path, outcome)
    return outcome.message


def _ended(context: Context, ended: Ended, outcome: tests.Outcome | None) -> Result:
    if outcome:
        message = tests.ended_message(outcome, ended)
    elif ended.result == "stopped":
        message = "stopped by user"
    else:
        message = f"timed out after {context.request.options.timeout or 0:g} s"
    fallback = 130 if ended.result == "stopped" else 124
    code = ended.exit_code if ended.exit_code is not None else fallback
    return Result(ended.result, code, message + ended.detail, outcome.report() if outcome else None)
