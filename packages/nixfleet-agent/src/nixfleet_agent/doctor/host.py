"""This host's side: state directory, disk, git and the repository, Nix, the root runner, the installation itself."""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator

from nixfleet_agent import __about__
from nixfleet_agent.config import Config
from nixfleet_agent.doctor.finding import Finding
from nixfleet_agent.files import NotPrivate
from nixfleet_agent.git import reason_of
from nixfleet_agent.gitenv import git_env
from nixfleet_agent.launch import REQUEST_MAX
from nixfleet_agent.lock import is_held
from nixfleet_agent.runner.ends import Failed
from nixfleet_agent.signatures import check_file
from nixfleet_agent.state import resident_uid
from nixfleet_agent.system import foreign

FREE_MIN = 256 * 2**20
"""Bytes below which a disk counts as nearly full: a run's log may grow that big."""
TIMEOUT = 30.0
"""Seconds for a program that is asked."""


def examine(config: Config) -> Iterator[Finding]:
    """One finding a check."""
    yield _state(config)
    yield _disk(config)
    yield from _git(config)
    yield _nix(config)
    yield _runner(config)
    yield _bytecode()
    yield _agent(config)


def _state(config: Config) -> Finding:
    """Looked at only: the agent closes it to others itself. Root may ask about a resident of another user."""
    path = config.resident_dir
    try:
        found, owner = os.lstat(path), resident_uid(config)
    except FileNotFoundError:
        return Finding("state", "warn", f"{path} doesn't exist yet", "the agent makes it at its first start")
    except (NotPrivate, OSError) as error:
        return Finding("state", "fail", str(error), kind="configuration")
    owner = os.geteuid() if owner is None else owner
    if not stat.S_ISDIR(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "no directory"
        return Finding(
            "state", "fail", f"{path} is {kind}", "remove it, or set NIXFLEET_STATE_DIR to another"
        )
    if found.st_uid != owner:
        said = f"{path} belongs to user {found.st_uid}, not to user {owner}"
        return Finding("state", "fail", said, "run doctor as the agent's user or as root, or chown it")
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Finding("state", "fail", f"{path} can't be written: {error.strerror}", "look at its disk")
    return Finding("state", "ok", f"{path} can be written")


def _disk(config: Config) -> Finding:
    path = config.state_dir
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    free = shutil.disk_usage(path).free
    said = f"{free / 2**20:,.0f} MiB free at {path}"
    if free < FREE_MIN:
        return Finding(
            "disk", "fail", said, "make room: a run's output needs up to 256 MiB, a clone its size"
        )
    return Finding("disk", "ok", said)


def _git(config: Config) -> Iterator[Finding]:
    if shutil.which("git") is None:
        yield Finding("git", "fail", "there is no git on PATH", "install it, or set PATH in the agent's unit")
        return
    if config.repository is None:
        mend = "set NIXFLEET_REPO_URL, or NIXFLEET_REPO_DIR for a checkout of yours"
        yield Finding("git", "warn", "no repository: pull, switch and test will fail", mend)
        return
    if config.allowed_signers and config.allowed_signers.startswith("/"):
        try:
            check_file(config.allowed_signers)
        except Failed as failed:
            said, _, how = str(failed).rpartition(": ")
            yield Finding("signers", "fail", said, how, "configuration")
        else:
            yield Finding("signers", "ok", config.allowed_signers)
    if config.repo_url:
        yield _remote(config, config.repo_url)
    else:
        yield _checkout(config)


def _remote(config: Config, url: str) -> Finding:
    argv = ["git", "ls-remote", "--exit-code", "--", url, f"refs/heads/{config.branch}"]
    code, _, said = _run(argv, "/", git_env(config))
    if code == 0:
        return Finding("git", "ok", f"the repository can be read, branch {config.branch} is there")
    if code == 2:
        mend = "set NIXFLEET_BRANCH"
        return Finding("git", "fail", f"the repository has no branch {config.branch}", mend)
    reason = reason_of(said.encode()) or said.strip()[-200:] or "it took too long"
    mend = "check NIXFLEET_REPO_URL"
    if "Permission denied" in reason or "no such identity" in reason:
        mend = "give the key that may read it in NIXFLEET_SSH_KEY, readable for this user only"
    elif "Host key" in said:
        mend = f"is it the right server? Its key is in {config.ssh_known_hosts or config.state_dir + '/known_hosts'}"
    elif "Username" in reason or "Authentication" in reason:
        mend = "it wants a login: use an SSH key (NIXFLEET_SSH_KEY) or git's credential store"
    return Finding("git", "fail", f"the repository can't be read: {reason}", mend)


def _checkout(config: Config) -> Finding:
    path = config.repo_dir or ""
    if not os.path.isdir(path):
        return Finding("git", "fail", f"NIXFLEET_REPO_DIR={path} doesn't exist", "clone the repository there")
    code, head, said = _run(["git", "rev-parse", "--short", "HEAD"], path, git_env(config))
    if code:
        return Finding("git", "fail", f"{path} is no checkout: {reason_of(said.encode())}", "clone it there")
    return Finding("git", "ok", f"{path} is at {head.strip()}")


def _nix(config: Config) -> Finding:
    if config.platform == "script":
        return Finding("nix", "skip", "platform script needs none")
    code, version, _ = _run(["nix", "--version"], "/", {})
    if code:
        mend = "install Nix, or set PATH in the agent's unit"
        return Finding("nix", "fail", f"platform {config.platform}, but there is no nix on PATH", mend)
    return Finding("nix", "ok", version.strip())


def _runner(config: Config) -> Finding:
    """Ask the root runner for what it doesn't know: a refusal shows that it is there and listens to us."""
    path = config.runner_socket
    if path is None:
        return Finding("runner", "skip", "commands run as the agent's own user")
    mend = "systemctl status nixfleet-agent-runner.socket"
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return Finding("runner", "fail", f"{path} is no socket", mend)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.settimeout(TIMEOUT)
            made.connect(path)
            made.sendall(b'{"verb": "doctor"}\n')
            answer = json.loads(made.makefile("rb").readline(REQUEST_MAX) or b"{}")
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Finding("runner", "fail", f"the root runner can't be asked at {path}: {said}", mend)
    why = answer.get("refused") if isinstance(answer, dict) else None
    if why == "invalid":
        return Finding("runner", "ok", f"a root runner answers at {path}")
    if why == "denied":
        return Finding(
            "runner", "fail", str(answer.get("message")), "run doctor as the agent's user or as root"
        )
    return Finding("runner", "fail", f"the root runner at {path} is in trouble: {answer}", mend)


def _bytecode() -> Finding:
    """Without it every start compiles, and the resident is 4 MB bigger."""
    source = __about__.__file__
    compiled = importlib.util.cache_from_source(source)
    if os.path.exists(compiled) or not source.endswith(".py"):
        return Finding("bytecode", "ok", "compiled")
    mend = f"python3 -m compileall {os.path.dirname(source)}"
    return Finding(
        "bytecode", "warn", "the agent is not compiled: it starts slowly and takes more memory", mend
    )


def _agent(config: Config) -> Finding:
    if is_held(os.path.join(config.resident_dir, "agent.lock")):
        return Finding("agent", "ok", "running; `nixfleet-agent status` tells more")
    return Finding("agent", "warn", "not running", "start its service, or `nixfleet-agent run`")


def _run(argv: list[str], cwd: str, env: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, output and complaints of a program; -1 when it took too long or isn't there."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**foreign(), **env, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return -1, "", ""
