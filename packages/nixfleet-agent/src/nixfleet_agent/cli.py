"""The command line `nixfleet-agent`.

Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration, 3 no connection, 4 not allowed.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from nixfleet_agent.config import Config


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words == ["run"]:  # what supervisors start: without the memory of an argument parser
        return _run()
    return _parse(words)


def _parse(words: list[str]) -> int:
    from nixfleet_agent.parser import parser

    given = parser().parse_args(words)
    actions: dict[str, Callable[[], int]] = {
        "run": _run,
        "status": lambda: _status(given.environment_file, given.json),
        "doctor": lambda: _doctor(given.environment_file, given.json),
        "units": lambda: _units(given),
        "enroll": lambda: _enroll(given),
        "unenroll": lambda: _enroll(given),
        "run-command": _run_command,
        "runner": _runner,
        "settle-dead": _settle_dead,
        "confirm-expired": lambda: _confirm_expired(given.run_id),
        "facts": _facts,
        "settle": lambda: _settle(given.run_id, given.have),
    }
    return actions[given.command]()


def _run() -> int:
    from nixfleet_agent.config import ConfigError, load

    try:
        config = load()
    except ConfigError as error:
        return _complain(error)
    from nixfleet_agent.resident import main as resident

    return resident(config)


def _status(file: str | None, as_json: bool) -> int:
    import os

    from nixfleet_agent import status
    from nixfleet_agent.config import ConfigError, load
    from nixfleet_agent.environment import of_agent

    try:
        config = load(of_agent(os.environ, file), connects=False)
    except ConfigError as error:
        return _complain(error)
    return status.show(config.resident_dir, as_json)


def _doctor(file: str | None, as_json: bool) -> int:
    import os

    from nixfleet_agent import doctor
    from nixfleet_agent.config import ConfigError
    from nixfleet_agent.environment import of_agent

    try:
        env = of_agent(os.environ, file)
    except ConfigError as error:
        return _complain(error)
    return doctor.main(env, as_json=as_json)


def _units(given: "Namespace") -> int:
    import json
    import os

    from nixfleet_agent.launch import program
    from nixfleet_agent.units import Installation, files

    try:
        installation = Installation(
            program=given.program or program()[0],
            mode=given.mode,
            supervisor=given.supervisor,
            environment_file=given.environment_file,
            home=os.path.expanduser("~"),
        )
    except ValueError as error:
        return _complain(error)
    made = files(installation)
    if given.json:
        sys.stdout.write(json.dumps(made, indent=2) + "\n")
        return 0
    for path, text in made.items():
        sys.stdout.write(f"# {path}\n{text}\n")
    return 0


def _enroll(given: "Namespace") -> int:
    from nixfleet_agent import enroll
    from nixfleet_agent.config import ConfigError
    from nixfleet_agent.enroll.place import Refused

    try:
        return enroll.enroll(given) if given.command == "enroll" else enroll.unenroll(given)
    except ConfigError as error:
        return _complain(error)
    except Refused as refused:
        _complain(refused)
        return refused.code


def _run_command() -> int:
    from nixfleet_agent.config import load
    from nixfleet_agent.runner.main import main as runner

    return runner(load(connects=False))


def _runner() -> int:
    from nixfleet_agent.config import ConfigError, load
    from nixfleet_agent.runner.serve import main as runner

    try:
        return runner(load(connects=False))
    except ConfigError as error:
        return _complain(error)


def _settle_dead() -> int:
    from nixfleet_agent.runner.settle import dead

    return _helper(dead)


def _confirm_expired(run_id: str) -> int:
    from nixfleet_agent.runner.expired import main as expired

    return _helper(lambda config: expired(config, run_id))


def _facts() -> int:
    from nixfleet_agent.facts import main as facts
    from nixfleet_agent.runner.expired import overdue

    def work(config: "Config") -> int:
        overdue(config)
        return facts(config)

    return _helper(work)


def _settle(run_id: str, have: int) -> int:
    from nixfleet_agent.runner.settle import main as settle

    return _helper(lambda config: settle(config, run_id, have))


def _helper(work: "Callable[[Config], int]") -> int:
    """Do what believes the state directory, if that can be believed."""
    from nixfleet_agent.config import load
    from nixfleet_agent.files import NotPrivate
    from nixfleet_agent.state import enter

    config = load(connects=False)
    try:
        enter(config)
    except (NotPrivate, OSError) as error:
        return _complain(error)
    return work(config)


def _complain(error: Exception) -> int:
    sys.stderr.write(f"nixfleet-agent: {error}\n")
    return 2
