"""The configuration repository: an isolated clone of our own, or a checkout that the user keeps.

The isolated clone is ours alone: it is reset and cleaned on each pull, and made anew when its origin changes or it is
damaged. Nothing that a server sends can become an option, a transport or a program to git.
"""

import contextlib
import fcntl
import os
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from nixfleet_agent.address import redact
from nixfleet_agent.config import Config
from nixfleet_agent.runner.context import Context, Failed, Ran
from nixfleet_agent.system import foreign

NETWORK_TIMEOUT = 900.0
"""Seconds for a clone or fetch: a big repository on a slow line, but not for ever (an auth prompt never ends)."""
_COMPLAINTS = (
    "Permission denied (",
    "Host key verification failed",
    "Could not resolve host",
    "Connection refused",
    "ERROR: ",
    "fatal: ",
    "error: ",
)
"""What a line that tells the reason holds, the most telling first."""
_QUERY_TIMEOUT = 60.0
_LOCAL_UPLOAD_PACK = "git -c safe.directory='*' upload-pack"
"""The other end of an origin on this machine. The operator named it, so whoever owns it is not dubious; what we tell git
in its environment doesn't reach that end."""


class Runs(Protocol):
    """Runs a program with its output going somewhere; `Context.run` does."""

    def __call__(
        self, argv: list[str], cwd: str, *, env: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> Ran: ...


def git_env(config: Config) -> dict[str, str]:
    """What git gets to see: no prompts, no program from a URL, our key and none other, this repository is ours."""
    path = config.repository or ""
    settings = {
        "protocol.ext.allow": "never",
        "safe.directory": path,
        "core.fsmonitor": "false",
        "advice.detachedHead": "false",
        "gc.autoDetach": "false",
    }
    if not config.repo_dir:
        settings["core.hooksPath"] = "/dev/null"
    if _is_local(config.repo_url or ""):
        settings["remote.origin.uploadpack"] = _LOCAL_UPLOAD_PACK
    env = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        # A damaged .git must never make git climb into a repository that happens to lie above.
        "GIT_CEILING_DIRECTORIES": os.path.dirname(path),
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=20",
    }
    if config.ssh_key:
        env["GIT_SSH_COMMAND"] += f" -o IdentitiesOnly=yes -i {shlex.quote(config.ssh_key)}"
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


class Repository:
    """The repository of a host. Methods that change it raise Failed with a reason for people, and Ended."""

    def __init__(self, config: Config) -> None:
        """Raises Failed when none is configured."""
        if config.repository is None:
            raise Failed("no repository: set NIXFLEET_REPO_URL (or NIXFLEET_REPO_DIR) for this agent", 2)
        self.path = config.repository
        self._config = config
        self._env = git_env(config)

    def pull(self, context: Context) -> None:
        """Bring the working tree to the newest commit of the branch, or to `options.ref`."""
        ref = context.request.options.ref
        if not self._config.repo_url:
            context.note(f"pull: fast-forward of {self.path}")
            self._must(context.run, "pull", "pull", "--ff-only", "--", "origin", ref or self._config.branch)
            return
        self.prepare(context.run, context.note)
        context.note(f"pull: {ref or self._config.branch} from {redact(self._config.repo_url)}")
        target = self._fetch(context, ref)
        self._must(context.run, "reset", "reset", "--hard", target, "--")
        self._must(context.run, "clean", "clean", "-ffdx")

    def ensure(self, context: Context) -> None:
        """See that there is a working tree to work in; an isolated one is cloned if need be."""
        if self._config.repo_url:
            self.prepare(context.run, context.note)
        elif problem := self.problem():
            raise Failed(f"{problem}: clone the repository there")

    def prepare(self, run: Runs, note: Callable[[str], None]) -> None:
        """Make an isolated clone usable: cloned if missing, made anew if damaged or of another origin."""
        reason = self._unusable()
        if reason is None:
            os.chmod(self.path, 0o700)
            _remove_stale_locks(os.path.join(self.path, ".git"))
            return
        if os.path.lexists(self.path):
            note(f"clone: {reason}, so it is made anew")
        self._clone(run, note)

    def head(self) -> str | None:
        """The commit that is checked out, or None."""
        return self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}") or None

    def problem(self) -> str | None:
        """Why the repository can't be used as it is, or None."""
        if self._config.repo_url:
            return self._unusable()
        return None if self.head() else f"{self.path} is not a git checkout with a commit"

    def _clone(self, run: Runs, note: Callable[[str], None]) -> None:
        url = self._config.repo_url or ""
        fresh = f"{self.path}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        os.mkdir(fresh, 0o700)
        note(f"clone: {redact(url)}, branch {self._config.branch}")
        # --no-local: a local origin is asked as any other is, instead of linking its files.
        how = ["--no-local", f"--upload-pack={_LOCAL_UPLOAD_PACK}"] if _is_local(url) else []
        argv = ["git", "clone", *how, "--branch", self._config.branch, "--single-branch", "--", url, fresh]
        ran = run(argv, os.path.dirname(self.path), env=self._env, timeout=NETWORK_TIMEOUT)
        if ran.exit_code:
            shutil.rmtree(fresh, ignore_errors=True)
            raise Failed(_why("clone", ran), ran.exit_code)
        if os.path.islink(self.path) or os.path.isfile(self.path):
            os.unlink(self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
        os.rename(fresh, self.path)

    def _unusable(self) -> str | None:
        """Why an isolated clone can't be used, or None. `rev-parse` alone would not notice emptied objects."""
        try:
            mode = os.lstat(self.path).st_mode
        except FileNotFoundError:
            return "there is no clone yet"
        if not stat.S_ISDIR(mode):
            return f"{self.path} is not a directory"
        if self._ask("rev-parse", "--git-dir") != ".git":
            return "the clone is damaged (no git directory)"
        if self._ask("config", "--get", "remote.origin.url") != self._config.repo_url:
            return "the repository's URL has changed"
        if self._ask("rev-list", "--objects", "-1", "--quiet", "HEAD", "--") is None:
            return "the clone is damaged (objects are missing)"
        return None

    def _fetch(self, context: Context, ref: str | None) -> str:
        """Fetch and name the commit to go to; once more on a new clone if it was damage that made it fail."""
        branch = ref or self._config.branch
        for attempt in (1, 2):
            kind = self._kind(branch) if ref else "heads"
            name = f"refs/{kind}/{branch}" if kind else "refs/heads/*"
            local = f"refs/remotes/origin/{branch}" if kind == "heads" else "refs/nixfleet/ref"
            spec = f"+{name}:{local if kind else 'refs/remotes/origin/*'}"
            argv = ["git", "fetch", "--no-tags", "--end-of-options", "origin", spec]
            ran = context.run(argv, self.path, env=self._env, timeout=NETWORK_TIMEOUT)
            if ran.exit_code == 0:
                target = self._ask(
                    "rev-parse", "--verify", "--quiet", f"{local if kind else branch}^{{commit}}"
                )
                if target:
                    return target
                raise Failed(f"there is no branch, tag or commit {branch} in the repository")
            sound = self._ask("fsck", "--connectivity-only", "--no-dangling", "--no-progress") is not None
            if sound or attempt == 2:
                raise Failed(_why("fetch", ran), ran.exit_code)
            context.note("clone: its history is damaged, so it is made anew")
            self._clone(context.run, context.note)
        raise AssertionError("the second attempt returns or raises")

    def _kind(self, ref: str) -> str | None:
        """`heads`, `tags`, or None when the remote has neither of that name: then it may be a commit."""
        listed = self._ask("ls-remote", "--", "origin", f"refs/heads/{ref}", f"refs/tags/{ref}") or ""
        names = [line.partition("\t")[2] for line in listed.splitlines()]
        return next((kind for kind in ("heads", "tags") if f"refs/{kind}/{ref}" in names), None)

    def _must(self, run: Runs, what: str, *words: str) -> None:
        ran = run(["git", *words], self.path, env=self._env, timeout=NETWORK_TIMEOUT)
        if ran.exit_code:
            raise Failed(_why(what, ran), ran.exit_code)

    def _ask(self, *words: str) -> str | None:
        """A short question to git: its answer, or None when it fails."""
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=self.path,
                env={**foreign(), **self._env, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_QUERY_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


@contextlib.contextmanager
def exclusive(config: Config, check: Callable[[], None]) -> Iterator[None]:
    """Only one process works on the repository at a time; `check` is called while waiting and may raise."""
    fd = os.open(os.path.join(config.state_dir, "repo.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                check()
                time.sleep(0.05)
        yield
    finally:
        os.close(fd)


def _is_local(url: str) -> bool:
    return url.startswith(("/", "file:"))


def _why(what: str, ran: Ran) -> str:
    if ran.late:
        return f"{what} took longer than {NETWORK_TIMEOUT:g} s and was ended"
    reason = reason_of(ran.tail) or ran.last_line
    return f"{what} failed with exit code {ran.exit_code}" + (f": {redact(reason)}" if reason else "")


def reason_of(tail: bytes) -> str:
    """What git or ssh says went wrong. Their last words are advice ("and the repository exists."), not the reason."""
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines()]
    return next((line for words in _COMPLAINTS for line in lines if words in line), "")[:300]


def _remove_stale_locks(git_dir: str) -> None:
    """A git that was killed leaves *.lock files that stop the next one; we hold the only right to be here."""
    for path, folders, files in os.walk(git_dir):
        if path == git_dir and "objects" in folders:
            folders.remove("objects")
        for name in files:
            if name.endswith(".lock"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(path, name))
