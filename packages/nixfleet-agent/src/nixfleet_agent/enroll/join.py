"""`enroll`: everything is checked first, since a one-time token is used up by the one request that takes it."""

import os
import pwd
import stat
import sys
from argparse import Namespace
from dataclasses import replace

from nixfleet_agent.config import Config, load
from nixfleet_agent.enroll import supervisor
from nixfleet_agent.enroll.exchange import exchange
from nixfleet_agent.enroll.leave import undo
from nixfleet_agent.enroll.place import USAGE, Place, Record, Refused, place, write
from nixfleet_agent.enroll.program import check_program
from nixfleet_agent.launch import program
from nixfleet_agent.units import Installation, files
from nixfleet_agent.variables import VARIABLES

OPTIONS = {"repo_url": "NIXFLEET_REPO_URL", "branch": "NIXFLEET_BRANCH", "ssh_key": "NIXFLEET_SSH_KEY"} | {
    "ca_file": "NIXFLEET_CA_FILE",
    "platform": "NIXFLEET_PLATFORM",
}
"""Options of the command line that are variables."""
_OURS = (
    "NIXFLEET_URL",
    "NIXFLEET_TOKEN",
    "NIXFLEET_TOKEN_FILE",
    "NIXFLEET_HOSTNAME",
    "NIXFLEET_STATE_DIR",
    "NIXFLEET_RESIDENT_DIR",
    "NIXFLEET_RESIDENT_USER",
    "NIXFLEET_RUNNER_SOCKET",
)


def enroll(given: Namespace) -> int:
    """Join. Exit code 0; raises Refused and ConfigError."""
    where = _place(given)
    token = sys.stdin.readline().strip() if given.token == "-" else given.token  # noqa: S105
    variables = _variables(given)
    config = load(variables | {"NIXFLEET_TOKEN": token})
    record = Record.read(where.record_file)
    if record and record.complete:
        raise Refused(
            f"this host is enrolled already, as {record.host_id} with {record.url}: `nixfleet-agent unenroll` first"
        )
    if record and record.host_id and record.url != given.url:
        raise Refused(f"an enrolment with {record.url} is unfinished: give that address, or `unenroll` first")
    if record is None:
        record = _begin(where, given.url)
    if not record.host_id:
        record = _take_token(where, record, config, token)
    record = _install(where, record, variables)
    if given.start:
        try:
            supervisor.run(supervisor.start(where.installation))
        except Refused as refused:
            raise Refused(
                f"enrolled as {record.host_id}, but not started: {refused}. Mend that and give the same command again:"
                " it goes on from here and needs no new token"
            ) from None
    replace(record, complete=True).write(where.record_file)
    _tell(where, record, started=given.start)
    return 0


def _place(given: Namespace) -> Place:
    mode = "user" if given.user or os.geteuid() != 0 else "system"
    if mode == "system" and os.path.exists("/etc/NIXOS"):
        raise Refused(
            "this is NixOS: what is installed comes from its configuration. Make a token with `nixfleet-server host add`"
            " and use the flake's module, services.nixfleet-agent; or `enroll --user` for this user's own agent",
            USAGE,
        )
    kind = "launchd" if sys.platform == "darwin" else "systemd"
    if given.start and not supervisor.runs_here(kind, mode):
        raise Refused(
            f"no {kind} runs here that could start the agent{' of this user' if mode == 'user' else ''}."
            " With --no-start only the files are written: have your own supervisor run `nixfleet-agent run` with them",
            USAGE,
        )
    [command, *rest] = program()
    if rest:
        raise Refused(
            "give this command as `nixfleet-agent enroll`, by the path that is to be started", USAGE
        )
    if mode == "system":
        check_program(command)
    try:
        return place(mode, kind, command)
    except ValueError as error:
        raise Refused(
            f"nixfleet-agent is installed in a place that no unit can name: {error}", USAGE
        ) from None


def _variables(given: Namespace) -> dict[str, str]:
    """What the configuration file will say, checked for what can't be set there. Raises Refused."""
    found = {"NIXFLEET_URL": given.url}
    found |= {name: value for option, name in OPTIONS.items() if (value := getattr(given, option))}
    if given.hostname:
        found["NIXFLEET_HOSTNAME"] = given.hostname
    known = {variable.name for variable in VARIABLES.values()}
    for word in given.set:
        name, equals, value = word.partition("=")
        if not equals or name not in known or name in _OURS:
            raise Refused(
                f"--set {name}: expected NAME=VALUE with one of the agent's variables (--help)", USAGE
            )
        found[name] = value
    if any(not value.isprintable() for value in found.values()):
        raise Refused("a value holds a line break or another character that can't be printed", USAGE)
    return found


def _begin(where: Place, url: str) -> Record:
    """Say what will be made, then make what the token needs: directory and account."""
    installation = where.installation
    paths = [where.env_file, where.token_file, *files(installation)]
    for path in paths:
        if os.path.lexists(path):
            raise Refused(
                f"{path} exists already, and not from `enroll`: remove it first, or leave it to what made it"
            )
    system = installation.mode == "system"
    record = Record(
        url=url,
        mode=installation.mode,
        supervisor=installation.supervisor,
        files=paths,
        made_user=system and not _has_user(installation.user),
    )
    try:
        made = not os.path.isdir(where.config_dir)
        os.makedirs(where.config_dir, exist_ok=True)
        if made:
            # Whatever root's umask is: the agent's user has to get at its token.
            os.chmod(where.config_dir, 0o755)  # noqa: S103
        elif system and not os.stat(where.config_dir).st_mode & stat.S_IXOTH:
            raise Refused(
                f"the agent's own user can't enter {where.config_dir}: chmod 755 {where.config_dir}"
            )
        record.write(where.record_file)
    except OSError as error:
        raise Refused(f"{where.config_dir}: {error.strerror}") from None
    if record.made_user:
        try:
            supervisor.run(supervisor.make_user(installation.user, installation.resident_dir))
        except Refused:
            undo(where, record)
            raise
    return record


def _take_token(where: Place, record: Record, config: Config, token: str) -> Record:
    """Exchange it; the host's own is on disk before anything else happens."""
    try:
        write(
            where.token_file, "", 0o600, _owner(where.installation)
        )  # a full disk shows before the token is used
        answer = exchange(config, token)
    except (Refused, OSError) as error:
        undo(where, record)
        if isinstance(error, OSError):
            raise Refused(f"{where.token_file}: {error.strerror}") from None
        raise
    try:
        write(where.token_file, answer.token + "\n", 0o600, _owner(where.installation))
        record = replace(record, host_id=answer.host_id)
        record.write(where.record_file)
    except OSError as error:
        undo(where, record)
        raise Refused(
            f"{where.token_file}: {error.strerror}. The token is used up: make another for the next try, and remove the"
            f" host {answer.host_id} on the server"
        ) from None
    return record


def _install(where: Place, record: Record, variables: dict[str, str]) -> Record:
    """Configuration and units."""
    given = variables | {"NIXFLEET_HOSTNAME": record.host_id, "NIXFLEET_TOKEN_FILE": where.token_file}
    installation = where.installation
    if installation.supervisor == "launchd":
        installation = replace(installation, environment=tuple(given.items()))
    try:
        write(where.env_file, "".join(f"{name}={quoted(value)}\n" for name, value in given.items()), 0o644)
        for path, text in files(installation).items():
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            write(path, text, 0o644)
    except OSError as error:
        raise Refused(
            f"enrolled as {record.host_id}, but {error.filename}: {error.strerror}. Mend that and give the same command"
            " again: it needs no new token"
        ) from None
    return record


def quoted(value: str) -> str:
    """A value as systemd and `environment.parse` read it from a file: nothing but these two has a meaning."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _owner(installation: Installation) -> tuple[int, int] | None:
    if installation.mode == "user":
        return None
    entry = pwd.getpwnam(installation.user)
    return entry.pw_uid, entry.pw_gid


def _tell(where: Place, record: Record, *, started: bool) -> None:
    say = sys.stdout.write
    say(f"enrolled as {record.host_id} with {record.url}\n")
    say(f"configuration  {where.env_file}\n")
    say(f"token          {where.token_file}\n")
    if not started:
        say(f"not started; `nixfleet-agent run` with the variables of {where.env_file} starts it\n")
        return
    say("started; `nixfleet-agent status` and `nixfleet-agent doctor` tell how it is\n")
    if where.installation.mode == "user" and where.installation.supervisor == "systemd":
        say("so that it also runs while you are not logged in: loginctl enable-linger\n")
