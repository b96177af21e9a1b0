"""The words that `nixfleet-agent` understands."""

import argparse
import sys

from nixfleet_agent.__about__ import __version__
from nixfleet_agent.variables import VARIABLES


def parser() -> argparse.ArgumentParser:
    """Of all commands, with every variable in its help."""
    table = "\n".join(f"  {v.name:<26} {v.help}" for v in VARIABLES.values())
    made = argparse.ArgumentParser(
        prog="nixfleet-agent",
        description="Connects this host to a NixFleet server and does what it asks.",
        epilog=f"environment variables:\n{table}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"nixfleet-agent {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
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
    return made


def _add_enroll(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
