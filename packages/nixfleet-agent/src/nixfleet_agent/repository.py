"""The configuration repository: an isolated clone of our own, or a checkout that the user keeps.

The isolated clone is ours alone: it is reset and cleaned on each pull, and made anew when its origin changes or it is
damaged. Nothing that a server sends can become an option, a transport or a program to git.
"""

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nixfleet_agent.address import redact
from nixfleet_agent.config import Config
from nixfleet_agent.files import read_json, swap_json
from nixfleet_agent.git import NETWORK_TIMEOUT, Git, Runs, why
from nixfleet_agent.gitenv import LOCAL_UPLOAD_PACK, git_env, is_local
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Failed
from nixfleet_agent.signatures import check_commit, check_owner


class Wanted(NamedTuple):
    """A commit that was the newest of the branch when it was fetched, `at` ms since the epoch."""

    commit: str
    at: int


class Repository:
    """The repository of a host. Methods that change it raise Failed with a reason for people, and Ended."""

    def __init__(self, config: Config) -> None:
        """Raises Failed when none is configured."""
        if config.repository is None:
            raise Failed("no repository: set NIXFLEET_REPO_URL (or NIXFLEET_REPO_DIR) for this agent", 2)
        self.path = config.repository
        self._config = config
        self._env = git_env(config)
        self._git = Git(self.path, self._env)
        self._wanted = os.path.join(config.state_dir, "wanted.json")

    def pull(self, context: Context) -> None:
        """Bring the working tree to the newest commit of the branch, or to `options.ref`."""
        ref = context.request.options.ref
        branch = ref or self._config.branch
        if not self._config.repo_url:
            context.note(f"pull: fast-forward of {self.path}")
            self._git.must(context.run, "pull", "pull", "--ff-only", "--", "origin", branch)
            self._check_head(context.note)
            return
        self.prepare(context.run, context.note)
        context.note(f"pull: {branch} from {redact(self._config.repo_url)}")
        target = self._fetch(context.run, context.note, ref)
        self._git.must(context.run, "reset", "reset", "--hard", target, "--")
        if ref is None:
            self.want(target)
        self._git.must(context.run, "clean", "clean", "-ffdx")

    @property
    def env(self) -> dict[str, str]:
        """What git has to be told to work here, also when Nix calls it."""
        return self._env

    def fetch(self, run: Runs, note: Callable[[str], None], ref: str | None = None) -> str:
        """Learn the newest commit of the branch, or of a ref, and return it; the working tree stays."""
        if self._config.repo_url:
            self.prepare(run, note)
            commit = self._fetch(run, note, ref)
        else:
            self._git.must(run, "fetch", "fetch", "--end-of-options", "origin", ref or self._config.branch)
            commit = self._git.ask("rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}") or ""
            if not commit:
                raise Failed("the fetch brought no commit")
        if ref is None:
            self.want(commit)
        return commit

    def want(self, commit: str) -> None:
        """Remember the newest commit of the branch, as just fetched."""
        with contextlib.suppress(OSError):
            swap_json(
                self._wanted,
                {"commit": commit, "branch": self._config.branch, "at": time.time_ns() // 1_000_000},
            )

    def wanted(self) -> Wanted | None:
        """The newest commit of the branch, None while it is unknown."""
        found = read_json(self._wanted) or {}
        commit, at = found.get("commit"), found.get("at")
        if isinstance(commit, str) and isinstance(at, int) and found.get("branch") == self._config.branch:
            return Wanted(commit, at)
        return None

    def behind(self, commit: str) -> int | None:
        """How many commits lie between what is checked out and a fetched commit; None if that can't be told."""
        found = self._git.ask("rev-list", "--count", "--end-of-options", f"HEAD..{commit}")
        return int(found) if found and found.isdigit() else None

    def dirty(self) -> bool | None:
        """Whether the working tree has changes of its own; None if git can't tell."""
        found = self._git.ask("--no-optional-locks", "status", "--porcelain")
        return None if found is None else bool(found)

    @contextlib.contextmanager
    def worktree(self, context: Context, commit: str) -> Iterator[str]:
        """A second working tree at a commit, for as long as it is needed; the first stays as it is."""
        self.check(commit, context.note)
        tree = os.path.join(self._config.state_dir, "worktree")
        self._remove_worktree(tree)
        self._git.must(context.run, "worktree", "worktree", "add", "--detach", "--force", "--", tree, commit)
        try:
            yield tree
        finally:
            self._remove_worktree(tree)

    def _remove_worktree(self, tree: str) -> None:
        shutil.rmtree(tree, ignore_errors=True)
        self._git.ask("worktree", "prune")

    def ensure(self, context: Context) -> None:
        """See that there is a working tree to work in; an isolated one is cloned if need be."""
        if self._config.repo_url:
            self.prepare(context.run, context.note)
            # A signature is worth nothing for a tree that is no longer the commit's.
            if self._config.allowed_signers:
                self._git.must(context.run, "reset", "reset", "--quiet", "--hard", "HEAD", "--")
                self._git.must(context.run, "clean", "clean", "--quiet", "-ffdx")
        elif problem := self.problem():
            raise Failed(f"{problem}: clone the repository there")
        self._check_head(context.note)

    def check(self, commit: str, note: Callable[[str], None]) -> None:
        """See that an allowed signer signed the commit, where only theirs may be used. Raises Failed."""
        if self._config.allowed_signers:
            who = check_commit(self.path, self._env, self._config.allowed_signers, commit)
            note(f"signature: {commit[:12]} is signed by {who}")

    def _check_head(self, note: Callable[[str], None]) -> None:
        """The same for what is checked out; a user's own checkout must hold nothing else."""
        if not self._config.allowed_signers:
            return
        if self._config.repo_dir:
            check_owner(self.path)
        self.check(self.head() or "HEAD", note)
        if self._config.repo_dir and self._git.ask("status", "--porcelain", "--ignored") != "":
            raise Failed(
                f"{self.path} holds files that are no part of its signed commit: commit or remove them "
                "(`git status --ignored` lists them)"
            )

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
        return self._git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}") or None

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
        how = ["--no-local", f"--upload-pack={LOCAL_UPLOAD_PACK}"] if is_local(url) else []
        argv = ["git", "clone", *how, "--branch", self._config.branch, "--single-branch", "--", url, fresh]
        ran = run(argv, os.path.dirname(self.path), env=self._env, timeout=NETWORK_TIMEOUT)
        if ran.exit_code:
            shutil.rmtree(fresh, ignore_errors=True)
            raise Failed(why("clone", ran), ran.exit_code)
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
        if self._git.ask("rev-parse", "--git-dir") != ".git":
            return "the clone is damaged (no git directory)"
        if self._git.ask("config", "--get", "remote.origin.url") != self._config.repo_url:
            return "the repository's URL has changed"
        if self._git.ask("rev-list", "--objects", "-1", "--quiet", "HEAD", "--") is None:
            return "the clone is damaged (objects are missing)"
        return None

    def _fetch(self, run: Runs, note: Callable[[str], None], ref: str | None) -> str:
        """Fetch and name the commit to go to; once more on a new clone if it was damage that made it fail."""
        branch = ref or self._config.branch
        for attempt in (1, 2):
            kind = self._kind(branch) if ref else "heads"
            name = f"refs/{kind}/{branch}" if kind else "refs/heads/*"
            local = f"refs/remotes/origin/{branch}" if kind == "heads" else "refs/nixfleet/ref"
            spec = f"+{name}:{local if kind else 'refs/remotes/origin/*'}"
            argv = ["git", "fetch", "--no-tags", "--end-of-options", "origin", spec]
            ran = run(argv, self.path, env=self._env, timeout=NETWORK_TIMEOUT)
            if ran.exit_code == 0:
                target = self._git.ask(
                    "rev-parse", "--verify", "--quiet", f"{local if kind else branch}^{{commit}}"
                )
                if target:
                    self.check(target, note)
                    return target
                raise Failed(f"there is no branch, tag or commit {branch} in the repository")
            sound = self._git.ask("fsck", "--connectivity-only", "--no-dangling", "--no-progress") is not None
            if sound or attempt == 2:
                raise Failed(why("fetch", ran), ran.exit_code)
            note("clone: its history is damaged, so it is made anew")
            self._clone(run, note)
        raise AssertionError("the second attempt returns or raises")

    def _kind(self, ref: str) -> str | None:
        """`heads`, `tags`, or None when the remote has neither of that name: then it may be a commit."""
        listed = self._git.ask("ls-remote", "--", "origin", f"refs/heads/{ref}", f"refs/tags/{ref}") or ""
        names = [line.partition("\t")[2] for line in listed.splitlines()]
        return next((kind for kind in ("heads", "tags") if f"refs/{kind}/{ref}" in names), None)


def _remove_stale_locks(git_dir: str) -> None:
    """A git that was killed leaves *.lock files that stop the next one; we hold the only right to be here."""
    for path, folders, files in os.walk(git_dir):
        if path == git_dir and "objects" in folders:
            folders.remove("objects")
        for name in files:
            if name.endswith(".lock"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(path, name))
