"""The commands a runner can do: each a row of a table, each a list of steps."""

import traceback
from collections.abc import Callable
from typing import NamedTuple

from nixfleet_agent import kinds, platforms, update
from nixfleet_agent.lock import exclusive
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner import reboot, tests
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Done, Ended, Failed
from nixfleet_protocol.messages import Outcome, TestReport


class Result(NamedTuple):
    """How a command ended. A `status` of "" is none yet: another process will tell it."""

    status: str
    exit_code: int | None
    message: str
    tests: TestReport | None = None
    outcome: Outcome | None = None


Step = Callable[[Context, Repository], Done]


def _pull(context: Context, repository: Repository) -> Done:
    context.plan(1)
    with context.step("pull") as step:
        before = repository.head()
        repository.pull(context)
        after = repository.head()
        if after is None:
            raise Failed("the repository has no commit after the pull")
        step.message = f"already at {after[:12]}" if after == before else f"now at {after[:12]}"
    return Done(step.message)


def _switch(context: Context, repository: Repository) -> Done:
    repository.ensure(context)
    return platforms.of(context.config).switch(context, repository)


def _rollback(context: Context, repository: Repository) -> Done:
    return _of_generations(context, repository)


def _of_generations(context: Context, repository: Repository | None) -> Done:
    """What is about the host's own generations; only a script host's are its repository's affair."""
    if repository and context.config.platform == "script":
        repository.ensure(context)
    platform = platforms.of(context.config)
    return (platform.rollback if context.request.command == "rollback" else platform.compare)(
        context, repository
    )


def _fetch(context: Context, repository: Repository) -> Done:
    context.plan(1)
    with context.step("fetch") as step:
        commit = repository.fetch(context.run, context.note, context.request.options.ref)
        behind = repository.behind(commit)
        head = (repository.head() or "no commit")[:12]
        step.message = f"{commit[:12]} is the newest; " + (
            "it is checked out" if commit.startswith(head) else f"{head} is checked out"
        )
        if behind:
            step.message += f", {behind} behind"
    return Done(step.message)


def _check(context: Context, repository: Repository) -> Done:
    ref, generation = context.request.options.ref, context.request.options.generation
    if generation is not None:
        if ref is not None:
            raise Failed("check takes a ref or a generation, not both", 2)
        return _of_generations(context, repository)
    repository.ensure(context)
    platform = platforms.of(context.config)
    if ref is None:
        return platform.check(context, repository, repository.path)
    with repository.worktree(context, repository.fetch(context.run, context.note, ref)) as tree:
        return platform.check(context, repository, tree)


COMMANDS: dict[str, tuple[Step, ...]] = {
    "pull": (_pull,),
    "switch": (_switch,),
    "pull-switch": (_pull, _switch),
    "rollback": (_rollback,),
    "fetch": (_fetch,),
    "check": (_check,),
}
DOES = (*COMMANDS, "test", "reboot", "update")
"""What a runner can do."""


def perform(context: Context) -> Result:
    """Do what the request asks. Never raises for what a host can do to us: the outcome says it."""
    result = _perform(context)
    return result._replace(outcome=context.report.outcome)


def _perform(context: Context) -> Result:
    command, platform = context.request.command, context.config.platform
    if not kinds.can(platform, command):
        return Result("failed", 2, f"a {platform} host can't {command}")
    outcome = tests.Outcome() if command == "test" else None
    try:
        if command == "reboot":
            return Result(*reboot.run(context))
        if command == "update":
            done = update.run(context)
            return Result(done.result, done.exit_code, done.message)
        generation = context.request.options.generation
        if context.config.repository is None and (command == "rollback" or generation is not None):
            done = _of_generations(context, None)
            return Result(done.result, done.exit_code, done.message)
        repository = Repository(context.config)
        with exclusive(context.config, context.check):
            done = _test(context, repository, outcome) if outcome else _steps(context, repository, command)
    except Ended as ended:
        return _ended(context, ended, outcome)
    except Failed as failed:
        return Result(failed.result, failed.exit_code, str(failed), outcome.report() if outcome else None)
    except OSError as error:
        traceback.print_exc()  # into the runner's log: where it names no file, its place is all there is to go by
        return Result("failed", 1, f"{error.filename or command}: {error.strerror}")
    return Result(done.result, done.exit_code, done.message, outcome.report() if outcome else None)


def _steps(context: Context, repository: Repository, command: str) -> Done:
    done: list[Done] = []
    for step in COMMANDS[command]:
        context.check()
        done.append(step(context, repository))
    return done[-1]._replace(message="; ".join(one.message for one in done))


def _test(context: Context, repository: Repository, outcome: tests.Outcome) -> Done:
    repository.ensure(context)
    tests.run(context, repository.path, outcome)
    return Done(outcome.message, "failed" if outcome.failed else "ok", int(outcome.failed > 0))


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
