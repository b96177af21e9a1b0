"""The isolated clone, with real git: made, reset, repaired, and never led astray."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from nixfleet_agent.config import load
from nixfleet_agent.events import Request
from nixfleet_agent.git import reason_of
from nixfleet_agent.gitenv import git_env
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner.ends import Failed, Ran
from nixfleet_protocol.messages import Options
from tests.agent.conftest import Repo


class Plain:
    """Stands where a run's Context stands: runs programs, keeps notes."""

    def __init__(self, config: object, ref: str | None = None) -> None:
        self.config = config
        self.request = Request("0" * 32, "pull", Options(ref=ref))
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def run(
        self, argv: list[str], cwd: str, *, env: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> Ran:
        done = subprocess.run(
            argv, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, timeout=60, check=False
        )
        return Ran(done.returncode, done.stderr)


class Clone:
    """An agent's repository below a state directory."""

    def __init__(self, state: Path, **env: str) -> None:
        state.mkdir(exist_ok=True)
        self.config = load(
            {"NIXFLEET_STATE_DIR": str(state), "NIXFLEET_HOSTNAME": "web1", **env}, connects=False
        )
        self.repository = Repository(self.config)
        self.path = Path(self.repository.path)
        self.notes: list[str] = []

    def pull(self, ref: str | None = None) -> str | None:
        plain = Plain(self.config, ref)
        self.repository.pull(plain)  # type: ignore[arg-type]
        self.notes = plain.notes
        return self.repository.head()


@pytest.fixture
def clone(tmp_path: Path, repo: Repo) -> Clone:
    return Clone(tmp_path / "state", NIXFLEET_REPO_URL=str(repo.path))


def test_the_first_pull_clones_privately(clone: Clone, repo: Repo) -> None:
    assert clone.pull() == repo.git("rev-parse", "HEAD")
    assert clone.path.stat().st_mode & 0o777 == 0o700
    assert (clone.path / "switch").exists()


def test_local_changes_of_every_kind_are_gone_after_a_pull(clone: Clone, repo: Repo) -> None:
    """Original bug 13: a changed and staged flake.lock made pull fail for ever."""
    clone.pull()
    head = repo.commit({"flake.lock": "theirs", ".gitignore": "ignored\n"})
    (clone.path / "flake.lock").write_text("ours")
    subprocess.run(["git", "add", "flake.lock"], cwd=clone.path, check=True)
    (clone.path / "switch").write_text("changed")
    (clone.path / "untracked").mkdir()
    (clone.path / "untracked" / "file").write_text("x")
    (clone.path / "ignored").write_text("x")

    assert clone.pull() == head
    assert (clone.path / "flake.lock").read_text() == "theirs"
    assert not (clone.path / "untracked").exists()
    assert not (clone.path / "ignored").exists()


def test_a_rewritten_history_is_followed(clone: Clone, repo: Repo) -> None:
    repo.commit({"a": "1"})
    clone.pull()
    repo.git("reset", "--hard", "--quiet", "HEAD~1")
    head = repo.commit({"b": "2"})

    assert clone.pull() == head
    assert not (clone.path / "a").exists()


def _empty_objects(path: Path) -> None:
    shutil.rmtree(path / ".git" / "objects")
    (path / ".git" / "objects").mkdir()


def _lose_a_blob(path: Path) -> None:
    for pack in (path / ".git" / "objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
    blob = subprocess.run(
        ["git", "rev-parse", "HEAD:switch"], cwd=path, check=True, capture_output=True, text=True
    ).stdout.strip()
    loose = path / ".git" / "objects" / blob[:2] / blob[2:]
    if not loose.exists():
        packs = list((path / ".git" / "objects" / "pack").glob("*.pack"))
        for pack in packs:
            data = pack.read_bytes()
            pack.unlink()
            subprocess.run(["git", "unpack-objects", "-q"], cwd=path, input=data, check=True)
        for index in (path / ".git" / "objects" / "pack").glob("*"):
            index.unlink()
    loose.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _empty_objects,
        _lose_a_blob,
        lambda path: shutil.rmtree(path / ".git"),
        lambda path: shutil.rmtree(path / ".git" / "objects"),
        lambda path: (path / ".git" / "HEAD").write_text("nonsense"),
        lambda path: (shutil.rmtree(path), path.write_text("a file")),
    ],
    ids=["objects emptied", "a blob lost", "no .git", "no objects", "HEAD broken", "a file in its place"],
)
def test_a_damaged_clone_is_made_anew(clone: Clone, repo: Repo, damage) -> None:
    """Spec T09: `rev-parse --git-dir` notices a missing .git/objects, but not an emptied one."""
    clone.pull()
    damage(clone.path)

    assert clone.pull() == repo.git("rev-parse", "HEAD")
    assert any("made anew" in note for note in clone.notes)
    assert (clone.path / "switch").exists()


def test_another_url_means_another_clone(clone: Clone, repo: Repo, tmp_path: Path) -> None:
    clone.pull()
    other = Repo(tmp_path / "other")
    head = other.commit({"switch": "other"})

    moved = Clone(tmp_path / "state", NIXFLEET_REPO_URL=str(other.path))

    assert moved.pull() == head


def test_locks_of_a_killed_git_do_not_stop_the_next(clone: Clone, repo: Repo) -> None:
    clone.pull()
    for name in ("index.lock", "refs/heads/main.lock", "config.lock"):
        (clone.path / ".git" / name).touch()
    head = repo.commit({"a": "1"})

    assert clone.pull() == head


def test_a_branch_a_tag_and_a_commit_can_be_asked_for(clone: Clone, repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.git("tag", "v1")
    repo.git("checkout", "--quiet", "-b", "side")
    side = repo.commit({"side": "1"})
    repo.git("checkout", "--quiet", "main")
    main = repo.commit({"a": "1"})

    assert clone.pull() == main
    assert clone.pull("side") == side
    assert clone.pull("v1") == first
    assert clone.pull(main) == main
    assert clone.pull(first[:10]) == first
    assert clone.pull() == main
    with pytest.raises(Failed, match="no branch, tag or commit nowhere"):
        clone.pull("nowhere")


def test_the_branch_may_change(clone: Clone, repo: Repo, tmp_path: Path) -> None:
    clone.pull()
    repo.git("checkout", "--quiet", "-b", "next")
    head = repo.commit({"next": "1"})

    moved = Clone(tmp_path / "state", NIXFLEET_REPO_URL=str(repo.path), NIXFLEET_BRANCH="next")

    assert moved.pull() == head


def test_a_failed_clone_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "state", NIXFLEET_REPO_URL=str(tmp_path / "nowhere"))

    with pytest.raises(Failed, match=r"clone failed with exit code 128: .*does not exist"):
        clone.pull()
    assert list((tmp_path / "state").iterdir()) == []


def test_a_failed_re_clone_keeps_what_there_was(clone: Clone, repo: Repo, tmp_path: Path) -> None:
    clone.pull()
    moved = Clone(tmp_path / "state", NIXFLEET_REPO_URL=str(tmp_path / "nowhere"))

    with pytest.raises(Failed):
        moved.pull()
    assert (clone.path / "switch").exists()


def test_a_checkout_of_the_user_s_is_only_fast_forwarded(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "--quiet", str(repo.path), str(tmp_path / "mine"))
    mine = Clone(tmp_path / "state", NIXFLEET_REPO_DIR=str(tmp_path / "mine"))
    (tmp_path / "mine" / "notes").write_text("keep me")
    head = repo.commit({"a": "1"})

    assert mine.pull() == head
    assert (tmp_path / "mine" / "notes").read_text() == "keep me"


def test_a_damaged_clone_never_climbs_into_the_repository_above(repo: Repo, tmp_path: Path) -> None:
    above = Repo(tmp_path / "above")
    above.commit({"mine": "1"})
    clone = Clone(tmp_path / "above" / "state", NIXFLEET_REPO_URL=str(repo.path))
    clone.pull()
    shutil.rmtree(clone.path / ".git")

    clone.pull()

    assert (tmp_path / "above" / "mine").read_text() == "1"
    assert above.git("rev-parse", "HEAD") != clone.repository.head()


def test_packed_references_are_read(clone: Clone) -> None:
    """Original: reading .git/refs by hand gave an empty generation after gc."""
    head = clone.pull()
    subprocess.run(["git", "pack-refs", "--all"], cwd=clone.path, check=True)

    assert clone.repository.head() == head


def test_ssh_uses_the_given_key_and_no_other(tmp_path: Path) -> None:
    key = tmp_path / "my key"
    config = load(
        {"NIXFLEET_HOSTNAME": "h", "NIXFLEET_SSH_KEY": str(key), "NIXFLEET_REPO_URL": "git@h:r"},
        connects=False,
    )
    command = git_env(config)["GIT_SSH_COMMAND"]

    assert f"'IdentityFile=\"{key}\"'" in command
    for option in ("IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=accept-new"):
        assert option in command


def test_no_repository_is_a_clear_refusal() -> None:
    config = load({"NIXFLEET_HOSTNAME": "h"}, connects=False)

    with pytest.raises(Failed, match="NIXFLEET_REPO_URL"):
        Repository(config)


ADVICE = """fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
"""


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (
            "fatal: '/gone' does not appear to be a git repository\n" + ADVICE,
            "fatal: '/gone' does not appear to be a git repository",
        ),
        (
            "git@example.org: Permission denied (publickey).\n" + ADVICE,
            "git@example.org: Permission denied (publickey).",
        ),
        ("Already up to date.\n", ""),
    ],
)
def test_the_reason_is_what_went_wrong_and_not_the_advice(printed: str, reason: str) -> None:
    assert reason_of(printed.encode()) == reason
