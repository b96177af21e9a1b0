"""The command line `nixfleet-agent`.

Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration, 3 no connection, 4 not allowed.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from nixfleet_agent.__about__ import __version__

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from nixfleet_agent.config import Config


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words == ["run"]:  # what supervisors start: without the memory of an argument parser
        return _run()
    return _parse(words)


def _parse(words: list[str]) -> int:
    import argparse

    from nixfleet_agent.config import VARIABLES

    table = "\n".join(f"  {v.name:<26} {v.help}" for v in VARIABLES.values())
    parser = argparse.ArgumentParser(
        prog="nixfleet-agent",
        description="Connects this host to a NixFleet server and does what it asks.",
        epilog=f"environment variables:\n{table}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nixfleet-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="connect and serve until told to stop (what the supervisor starts)")
    status = commands.add_parser("status", help="what the agent on this host is doing")
    doctor = commands.add_parser("doctor", help="check everything the agent needs, and say how to mend it")
    for asking in (status, doctor):
        asking.add_argument("--json", action="store_true", help="print it as JSON")
        asking.add_argument(
            "--environment-file",
            metavar="FILE",
            help="the agent's variables; by default this shell's, else those of the installed agent",
        )
    units = commands.add_parser(
        "units", help="print what a supervisor must know of the agent: units or launchd jobs"
    )
    units.add_argument("--mode", choices=("system", "user"), default="system")
    default = "launchd" if sys.platform == "darwin" else "systemd"
    units.add_argument("--supervisor", choices=("systemd", "launchd"), default=default)
    units.add_argument("--program", help="path of nixfleet-agent; by default this one's")
    units.add_argument("--environment-file", help="file of NIXFLEET_* variables, one NAME=value a line")
    units.add_argument("--json", action="store_true", help="print path and content as JSON")
    _add_enroll(commands)
    # Started by the agent itself; no `help`, so they are not listed.
    commands.add_parser("run-command")
    commands.add_parser("runner")
    commands.add_parser("settle-dead")
    expired = commands.add_parser("confirm-expired")
    expired.add_argument("run_id")
    commands.add_parser("facts")
    settle = commands.add_parser("settle")
    settle.add_argument("run_id")
    settle.add_argument("have", type=int)
    given = parser.parse_args(words)
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


def _add_enroll(commands: "_SubParsersAction[ArgumentParser]") -> None:
    enroll = commands.add_parser(
        "enroll",
        help="join a fleet: exchange a one-time token, write configuration and units, start the agent",
    )
    enroll.add_argument("url", metavar="URL", help="the server's address, as https://fleet.example.org")
    enroll.add_argument("token", metavar="TOKEN", help="one-time token; - reads it from standard input")
    enroll.add_argument(
        "--hostname", metavar="NAME", help="name in the fleet; by default the host's short name"
    )
    enroll.add_argument("--repo-url", metavar="URL", help="repository with this host's configuration")
    enroll.add_argument("--branch", metavar="NAME", help="its branch; default main")
    enroll.add_argument("--ssh-key", metavar="FILE", help="private key for git over ssh")
    enroll.add_argument("--platform", metavar="NAME", help="how the host is switched; by default found out")
    enroll.add_argument("--ca-file", metavar="FILE", help="certificates to trust (PEM)")
    enroll.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="any other variable, as often as needed",
    )
    enroll.add_argument("--no-start", dest="start", action="store_false", help="write the files only")
    unenroll = commands.add_parser(
        "unenroll", help="undo enroll: stop the agent and remove all that it has here"
    )
    unenroll.add_argument("--force", action="store_true", help="also while a command is running: it is ended")
    for command in (enroll, unenroll):
        command.add_argument(
            "--user", action="store_true", help="this user's own agent; always so unless root asks"
        )


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
