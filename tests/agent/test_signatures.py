"""NIXFLEET_ALLOWED_SIGNERS with real keys: what is signed by others, or not at all, never gets to run."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nixfleet_agent.runner.ends import Failed
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer
from tests.agent.test_repository import Clone, Plain
from tests.support.sshd import key

Make = Callable[..., Agent]
pytestmark = pytest.mark.needs("ssh")


class Signing:
    """Commits with SSH signatures of `friend` or `stranger`; `file` is an allowed_signers file of the friend's key."""

    def __init__(self, repo: Repo, directory: Path) -> None:
        self.repo = repo
        self.friend = key(directory / "friend")
        self.stranger = key(directory / "stranger")
        self.file = directory / "allowed_signers"
        kind, public, *_ = self.friend.with_suffix(".pub").read_text().split()
        self.file.write_text(f'friend@example.org namespaces="git" {kind} {public}\n')
        self.file.chmod(0o644)

    def commit(self, by: Path | None, text: str) -> str:
        """One more commit, with a `switch` that tells which one it is."""
        self.repo.commit({"switch": f"#!/bin/sh\necho {text}\n"})
        if by:
            config = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={by}"]
            self.repo.git(*config, "commit", "--quiet", "--amend", "--no-edit", "-S")
        return self.repo.git("rev-parse", "HEAD")


@pytest.fixture
def signing(repo: Repo, tmp_path: Path) -> Signing:
    return Signing(repo, tmp_path / "keys")


@pytest.fixture
def clone(repo: Repo, signing: Signing, tmp_path: Path) -> Clone:
    return Clone(
        tmp_path / "state", NIXFLEET_REPO_URL=str(repo.path), NIXFLEET_ALLOWED_SIGNERS=str(signing.file)
    )


def ensure(clone: Clone) -> None:
    clone.repository.ensure(Plain(clone.config))  # type: ignore[arg-type]


def test_a_commit_of_an_allowed_signer_is_taken_and_its_signer_noted(clone: Clone, signing: Signing) -> None:
    head = signing.commit(signing.friend, "good")

    assert clone.pull() == head
    assert any("is signed by friend@example.org" in note for note in clone.notes)
    ensure(clone)


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_a_commit_of_others_is_refused_and_the_tree_stays_where_it_was(
    clone: Clone, signing: Signing, who: str
) -> None:
    good = signing.commit(signing.friend, "good")
    clone.pull()
    signing.commit(signing.stranger if who == "stranger" else None, "bad")

    with pytest.raises(Failed, match="no signature of an allowed signer"):
        clone.pull()

    assert clone.repository.head() == good
    assert "good" in (clone.path / "switch").read_text()


def test_a_signature_of_another_commit_is_worth_nothing(clone: Clone, signing: Signing, repo: Repo) -> None:
    signing.commit(signing.friend, "good")
    body = repo.git("cat-file", "commit", "HEAD")
    other = repo.commit({"switch": "#!/bin/sh\necho evil\n"})
    tree = repo.git("rev-parse", f"{other}^{{tree}}")
    forged = re.sub(r"^tree \w+", f"tree {tree}", body) + "\n"
    commit = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=repo.path,
        input=forged,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    repo.git("reset", "--quiet", "--hard", commit)

    with pytest.raises(Failed, match="no signature of an allowed signer"):
        clone.pull()


def test_a_signature_for_another_purpose_is_refused(clone: Clone, signing: Signing) -> None:
    """The allowed_signers file may say for what a key counts, and until when."""
    kind, public, *_ = signing.friend.with_suffix(".pub").read_text().split()
    signing.commit(signing.friend, "good")
    for option in ('namespaces="file"', 'valid-before="20200101"'):
        signing.file.write_text(f"friend@example.org {option} {kind} {public}\n")
        with pytest.raises(Failed, match="no signature of an allowed signer"):
            clone.pull()


@pytest.mark.parametrize("ref", ["side", "v1"])
def test_a_branch_or_tag_that_is_asked_for_is_checked_too(
    clone: Clone, signing: Signing, repo: Repo, ref: str
) -> None:
    signing.commit(signing.friend, "good")
    clone.pull()
    repo.git("checkout", "--quiet", "-b", "side")
    signing.commit(None, "bad")
    repo.git("tag", "v1")
    repo.git("checkout", "--quiet", "main")

    with pytest.raises(Failed, match="no signature of an allowed signer"):
        clone.pull(ref)


def test_what_was_put_into_the_clone_by_others_is_not_run(clone: Clone, signing: Signing) -> None:
    signing.commit(signing.friend, "good")
    clone.pull()
    (clone.path / "switch").write_text("#!/bin/sh\necho evil\n")
    (clone.path / "extra").write_text("evil")

    ensure(clone)

    assert "good" in (clone.path / "switch").read_text()
    assert not (clone.path / "extra").exists()


def test_a_clone_from_before_the_setting_is_checked_before_it_is_used(clone: Clone, signing: Signing) -> None:
    signing.commit(None, "unsigned")

    with pytest.raises(Failed, match="no signature of an allowed signer"):
        ensure(clone)


def test_a_checkout_of_the_user_s_must_be_signed_and_clean(
    repo: Repo, signing: Signing, tmp_path: Path
) -> None:
    signing.commit(signing.friend, "good")
    repo.git("clone", "--quiet", str(repo.path), str(tmp_path / "mine"))
    mine = Clone(
        tmp_path / "state",
        NIXFLEET_REPO_DIR=str(tmp_path / "mine"),
        NIXFLEET_ALLOWED_SIGNERS=str(signing.file),
    )
    ensure(mine)
    (tmp_path / "mine" / "notes").write_text("x")

    with pytest.raises(Failed, match="no part of its signed commit"):
        ensure(mine)


@pytest.mark.parametrize("place", [".", ".git"])
def test_a_checkout_that_others_can_change_is_refused_whoever_signed_it(
    place: str, repo: Repo, signing: Signing, tmp_path: Path
) -> None:
    signing.commit(signing.friend, "good")
    repo.git("clone", "--quiet", str(repo.path), str(tmp_path / "mine"))
    mine = Clone(
        tmp_path / "state",
        NIXFLEET_REPO_DIR=str(tmp_path / "mine"),
        NIXFLEET_ALLOWED_SIGNERS=str(signing.file),
    )
    (tmp_path / "mine" / place).chmod(0o777)

    with pytest.raises(Failed, match="other users could change it"):
        ensure(mine)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.chmod(0o666), "other users could change it"),
        (lambda file: (file.unlink(), file.mkdir()), "not a file"),
        (lambda file: file.write_text("nonsense\n"), "no signature of an allowed signer"),
        (lambda file: file.write_text(""), "no signature of an allowed signer"),
    ],
    ids=["missing", "open to others", "a directory", "nonsense", "empty"],
)
def test_a_file_of_signers_that_cannot_be_believed_lets_nothing_through(
    clone: Clone, signing: Signing, harm: Callable[[Path], object], said: str
) -> None:
    signing.commit(signing.friend, "good")
    harm(signing.file)

    with pytest.raises(Failed, match=said):
        clone.pull()


def test_an_unsigned_switch_is_never_run_and_the_host_says_why(
    server: FakeServer, repo: Repo, signing: Signing, agent: Make
) -> None:
    signing.commit(None, "evil")
    made = agent(NIXFLEET_ALLOWED_SIGNERS=str(signing.file))
    server.connected()

    for command in ("pull", "switch", "pull-switch", "test"):
        status = server.ended(run_id := server.command(command))
        assert status.status == "failed", command
        assert "no signature of an allowed signer" in status.message, command
        assert b"evil" not in server.raw(run_id)
    assert not (made.state / "deployed.json").exists()

    signing.commit(signing.friend, "good")
    assert server.ended(server.command("pull-switch")).status == "ok"


class Gpg:
    """A keyring with keys of `friend` and `stranger`, both of full trust: only the fingerprint tells them apart."""

    def __init__(self, home: Path) -> None:
        self.env = {"GNUPGHOME": str(home), "PATH": os.environ["PATH"]}
        self.fingerprints = {}
        for name in ("friend", "stranger"):
            self._run("--quick-generate-key", f"{name}@example.org", "ed25519", "sign", "never")
            listed = self._run("--with-colons", "--list-keys", f"{name}@example.org")
            self.fingerprints[name] = re.findall(r"^fpr:+(\w+):", listed, re.MULTILINE)[0]

    def _run(self, *words: str) -> str:
        argv = ["gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback", *words]
        done = subprocess.run(argv, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout

    def close(self) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self.env, check=False)


@pytest.fixture
def gpg() -> Iterator[Gpg]:
    home = Path(tempfile.mkdtemp(prefix="gpg-"))  # short: the agent's socket lies in it
    made = Gpg(home)
    yield made
    made.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.needs("gpg")
def test_gpg_only_the_listed_key_counts(
    repo: Repo, signing: Signing, gpg: Gpg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNUPGHOME", gpg.env["GNUPGHOME"])
    spaced = " ".join(re.findall("....", gpg.fingerprints["friend"].lower()))
    clone = Clone(tmp_path / "state", NIXFLEET_REPO_URL=str(repo.path), NIXFLEET_ALLOWED_SIGNERS=spaced)

    def commit(name: str) -> str:
        repo.commit({"switch": f"#!/bin/sh\necho {name}\n"})
        environment = {**os.environ, "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}
        signer = f"user.signingKey={gpg.fingerprints[name]}"
        argv = ["git", "-c", signer, "commit", "--quiet", "--amend", "--no-edit", "-S"]
        subprocess.run(argv, cwd=repo.path, env=environment, check=True)
        return repo.git("rev-parse", "HEAD")

    good = commit("friend")
    assert clone.pull() == good
    assert any(gpg.fingerprints["friend"] in note for note in clone.notes)
    commit("stranger")
    with pytest.raises(Failed, match="no signature of an allowed signer"):
        clone.pull()
    signing.commit(signing.friend, "by an SSH key that nobody listed")
    with pytest.raises(Failed, match="no signature of an allowed signer"):
        clone.pull()
    signing.commit(None, "unsigned")
    with pytest.raises(Failed, match="no signature of an allowed signer"):
        clone.pull()

    # The other way round: an SSH list is not satisfied by a key that gpg trusts.
    commit("friend")
    ssh = Clone(
        tmp_path / "other", NIXFLEET_REPO_URL=str(repo.path), NIXFLEET_ALLOWED_SIGNERS=str(signing.file)
    )
    with pytest.raises(Failed, match="no signature of an allowed signer"):
        ssh.pull()
