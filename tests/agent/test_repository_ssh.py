"""The clone over a real sshd: which key opens, which host is believed, and that nothing waits for ever or asks."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixfleet_agent import gitenv
from nixfleet_agent.config import ConfigError
from nixfleet_agent.runner.ends import Failed
from nixfleet_agent.runner.main import Refused, parse_request
from tests.agent.conftest import Repo
from tests.agent.test_repository import Clone
from tests.support.sshd import Sshd

pytestmark = pytest.mark.needs("sshd", "ssh")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    made = Sshd(tmp_path_factory.mktemp("sshd"))
    yield made
    made.stop()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose name ssh could misread."""
    return tmp_path / "state %u dir"


def over(sshd: Sshd, repo: Repo, state: Path, **env: str) -> Clone:
    key = state.parent / "key %h, with a blank"  # what ssh would read as two words and a token
    shutil.copy(sshd.user_key, key)
    return Clone(state, NIXFLEET_REPO_URL=sshd.url(repo.path), **{"NIXFLEET_SSH_KEY": str(key), **env})


def test_the_given_key_opens_and_the_host_s_key_is_remembered(sshd: Sshd, repo: Repo, state: Path) -> None:
    clone = over(sshd, repo, state)

    assert clone.pull() == repo.git("rev-parse", "HEAD")
    public = sshd.host_key.with_suffix(".pub").read_text().split()[1]
    assert public in (state / "known_hosts").read_text()
    assert clone.pull(repo.commit({"a": "1"})[:12])  # and again, by the remembered key


def test_no_key_but_the_given_one_is_offered(
    sshd: Sshd, repo: Repo, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of the user's home and of an agent stay out, so that the wrong account is never used."""
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    (home / "id_ed25519").write_bytes(sshd.user_key.read_bytes())
    (home / "id_ed25519").chmod(0o600)
    monkeypatch.setenv("HOME", str(home.parent))

    with pytest.raises(Failed, match=r"Permission denied \(publickey\)"):
        over(sshd, repo, state, NIXFLEET_SSH_KEY=str(sshd.other_key)).pull()


def test_another_host_key_than_before_is_refused_and_the_line_to_remove_is_named(
    tmp_path: Path, repo: Repo, state: Path
) -> None:
    sshd = Sshd(tmp_path / "moved")
    try:
        clone = over(sshd, repo, state)
        clone.pull()
        sshd.new_host_key()

        with pytest.raises(Failed, match=r"another SSH host key than before.*known_hosts:1"):
            clone.pull()
    finally:
        sshd.stop()


@pytest.mark.parametrize("known", [True, False], ids=["its key is in the file", "another key is"])
def test_with_a_file_of_known_hosts_only_those_are_believed(
    sshd: Sshd, repo: Repo, state: Path, tmp_path: Path, known: bool
) -> None:
    file = tmp_path / "known hosts"
    public = (sshd.host_key if known else sshd.other_key).with_suffix(".pub").read_text()
    file.write_text(f"[127.0.0.1]:{sshd.port} {public}")
    clone = over(sshd, repo, state, NIXFLEET_SSH_KNOWN_HOSTS=str(file))

    if known:
        assert clone.pull()
    else:
        with pytest.raises(Failed, match=r"Host key verification failed|another SSH host key"):
            clone.pull()
    assert not (state / "known_hosts").exists()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda key: key.unlink(), "no such identity: .*/key: No such file"),
        (lambda key: key.chmod(0o644), "are too open"),
    ],
    ids=["missing", "open to others"],
)
def test_a_key_that_cannot_be_used_is_named(
    sshd: Sshd, repo: Repo, state: Path, tmp_path: Path, harm, said: str
) -> None:
    key = tmp_path / "key"
    key.write_bytes(sshd.user_key.read_bytes())
    key.chmod(0o600)
    harm(key)

    with pytest.raises(Failed, match=said):
        over(sshd, repo, state, NIXFLEET_SSH_KEY=str(key)).pull()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where somebody listens and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def accept() -> None:
        while True:
            try:
                held.append(listener.accept())
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()
    for connection, _ in held:
        connection.close()


def test_a_server_that_says_nothing_is_given_up(
    silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitenv, "CONNECT_TIMEOUT", 1)
    clone = Clone(tmp_path / "state", NIXFLEET_REPO_URL=f"ssh://git@127.0.0.1:{silent}/repo")
    began = time.monotonic()

    with pytest.raises(Failed, match=r"(?i)timed out|timeout"):
        clone.pull()

    assert time.monotonic() - began < 30


EVIL_URLS = [
    "--upload-pack=touch pwned",
    "-oProxyCommand=touch pwned",
    "ext::sh -c touch% pwned",
    "fd::17/foo",
    "ssh://-oProxyCommand=touch pwned/x",
    "ssh://host/\nx",
    "git@-oProxyCommand=x:y",
    "file://x\x00y",
    "http::https://example.org/x",
]


@pytest.mark.parametrize("url", EVIL_URLS)
def test_an_address_that_is_an_option_or_a_program_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NIXFLEET_REPO_URL"):
        Clone(tmp_path / "state", NIXFLEET_REPO_URL=url)


@pytest.mark.parametrize("branch", ["--exec=x", "-b", "a b", "a\nb", "", "@{u}", ":x", "^main"])
def test_a_branch_that_is_an_option_or_an_expression_is_refused(branch: str, tmp_path: Path) -> None:
    if branch:  # empty is not set
        with pytest.raises(ConfigError, match="NIXFLEET_BRANCH"):
            Clone(tmp_path / "state", NIXFLEET_REPO_URL="/r", NIXFLEET_BRANCH=branch)
    with pytest.raises(Refused):
        parse_request(
            b'{"run_id": "%s", "command": "pull", "options": {"ref": "%s"}}'
            % (b"0" * 32, branch.replace("\n", "\\n").encode())
        )


def test_an_origin_that_was_changed_to_a_program_is_never_called(repo: Repo, tmp_path: Path) -> None:
    """Somebody edits the clone's own configuration: the transport is still the configured address's only."""
    clone = Clone(tmp_path / "state", NIXFLEET_REPO_URL=str(repo.path))
    clone.pull()
    proof = tmp_path / "pwned"
    config = clone.path / ".git" / "config"
    config.write_text(
        config.read_text()
        + f'[url "ext::sh -c touch% {proof}% "]\n\tinsteadOf = {repo.path}\n[protocol "ext"]\n\tallow = always\n'
    )

    with pytest.raises(Failed):
        clone.pull()

    assert not os.path.lexists(proof)
