"""Configuration: what is taken, and what each refusal says."""

from pathlib import Path

import pytest

from nixfleet_agent.address import redact
from nixfleet_agent.config import Config, ConfigError, load
from nixfleet_protocol import limits

GOOD = {"NIXFLEET_URL": "https://fleet.example.org", "NIXFLEET_TOKEN": "abc", "NIXFLEET_HOSTNAME": "web1"}


def config(**env: str) -> Config:
    return load({**GOOD, **env})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://fleet.example.org", "wss://fleet.example.org:443/ws/agent"),
        ("https://fleet.example.org/base/", "wss://fleet.example.org:443/base/ws/agent"),
        ("wss://[2001:db8::1]:8443", "wss://[2001:db8::1]:8443/ws/agent"),
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws/agent"),
        ("http://localhost", "ws://localhost:80/ws/agent"),
    ],
)
def test_addresses_become_the_agents_socket(url: str, shown: str) -> None:
    assert str(config(NIXFLEET_URL=url).url) == shown


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"NIXFLEET_URL": ""}, ["NIXFLEET_URL", "not set"]),
        ({"NIXFLEET_URL": "fleet.example.org"}, ["NIXFLEET_URL", "https://"]),
        ({"NIXFLEET_URL": "https://a:99999"}, ["NIXFLEET_URL", "99999"]),
        ({"NIXFLEET_URL": "https://user:secret@a"}, ["NIXFLEET_URL"]),
        ({"NIXFLEET_URL": "http://fleet.example.org"}, ["NIXFLEET_ALLOW_PLAIN_HTTP=1"]),
        ({"NIXFLEET_URL": "http://127.0.0.1.example.org"}, ["NIXFLEET_ALLOW_PLAIN_HTTP=1"]),
        ({"NIXFLEET_TOKEN": ""}, ["NIXFLEET_TOKEN_FILE", "not set"]),
        ({"NIXFLEET_HOSTNAME": "-x"}, ["NIXFLEET_HOSTNAME='-x'", "letters"]),
        ({"NIXFLEET_INTERVAL": "soon"}, ["NIXFLEET_INTERVAL='soon'", "0.1 to 3600"]),
        ({"NIXFLEET_INTERVAL": "nan"}, ["NIXFLEET_INTERVAL='nan'"]),
        ({"NIXFLEET_PROBES": "gateway:99999"}, ["NIXFLEET_PROBES", "HOST:PORT"]),
        ({"NIXFLEET_PROBES": "a:1,http://gateway:0/"}, ["NIXFLEET_PROBES", "HOST:PORT"]),
        ({"NIXFLEET_PROBES": "http://gateway/ü"}, ["NIXFLEET_PROBES", "HOST:PORT"]),
        ({"NIXFLEET_HEALTH_CHECK": "http://127.0.0.1:99999/health"}, ["NIXFLEET_HEALTH_CHECK", "address"]),
        ({"NIXFLEET_HEALTH_CHECK": "http://[/"}, ["NIXFLEET_HEALTH_CHECK", "address"]),
        ({"NIXFLEET_INTERVAL": "0"}, ["NIXFLEET_INTERVAL='0'"]),
        ({"NIXFLEET_PLATFORM": "beos"}, ["NIXFLEET_PLATFORM='beos'", "script"]),
        ({"NIXFLEET_BRANCH": "--upload-pack=x"}, ["NIXFLEET_BRANCH"]),
        ({"NIXFLEET_BRANCH": "a..b"}, ["NIXFLEET_BRANCH"]),
        ({"NIXFLEET_REPO_URL": "ext::sh -c id"}, ["NIXFLEET_REPO_URL", "ssh://"]),
        ({"NIXFLEET_REPO_URL": "--upload-pack=id"}, ["NIXFLEET_REPO_URL"]),
        ({"NIXFLEET_REPO_URL": "a@b::c"}, ["NIXFLEET_REPO_URL"]),
        ({"NIXFLEET_REPO_URL": "/a", "NIXFLEET_REPO_DIR": "/b"}, ["both"]),
        ({"NIXFLEET_STATE_DIR": "here"}, ["NIXFLEET_STATE_DIR='here'", "absolute"]),
        ({"NIXFLEET_LOG_MAX": "lots"}, ["NIXFLEET_LOG_MAX='lots'", "256MiB"]),
        ({"NIXFLEET_LOG_MAX": "1025MiB"}, ["NIXFLEET_LOG_MAX='1025MiB'", "64KiB to 1024MiB"]),
        ({"NIXFLEET_LOG_MAX": "9" * 5000}, ["NIXFLEET_LOG_MAX"]),
        ({"NIXFLEET_LOG_MAX": "1"}, ["NIXFLEET_LOG_MAX='1'"]),
        ({"NIXFLEET_METRICS": "some"}, ["NIXFLEET_METRICS='some'", "auto, stasysmo, off"]),
        ({"NIXFLEET_LOG_FORMAT": "xml"}, ["NIXFLEET_LOG_FORMAT='xml'"]),
    ],
)
def test_a_refusal_names_the_variable_and_what_is_allowed(env: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**env)

    for word in words:
        assert word in str(caught.value)


def test_a_refusal_never_shows_a_password() -> None:
    with pytest.raises(ConfigError) as caught:
        config(NIXFLEET_REPO_URL="ftp://user:hunter2@example.org/x")

    assert "hunter2" not in str(caught.value)
    assert redact("https://user:hunter2@example.org/x") == "https://example.org/x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fatal: 'https://u:p@ss@h/r' not found", "fatal: 'https://h/r' not found"),
        ("fatal: 'https://u:pa/ss@h/r'", "fatal: 'https://h/r'"),
        ("https://token@h/r and ssh://git@h/r", "https://h/r and ssh://h/r"),
        ("https://me@example.org:pa/ss@h/r", "https://h/r"),
        ("https://h/r@v2 mail a@b", "https://h/r@v2 mail a@b"),
    ],
)
def test_lines_of_the_log_are_shown_without_credentials(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@h/r",
        "https://user:hunter2@",
        "https://user:hunt/hunter2@h/r",
        "https://user:hunt@hunter2@h/r",
        "https://user:1hunter2/x@h/r",
        "ssh://user:hunter2@h/r",
        "user:hunter2@h:r",
        "user:hunt hunter2@h:r",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as repository:
        config(NIXFLEET_REPO_URL=url)
    with pytest.raises(ConfigError) as server:
        config(NIXFLEET_URL=url)

    assert "SSH key" in str(repository.value)
    assert "credential store" in str(repository.value)
    assert "hunt" not in str(repository.value) + str(server.value)


@pytest.mark.parametrize("connects", [True, False])
@pytest.mark.parametrize("url", ["http://h/r", "git://h/r", "http://me@h:8000/r", "http://127.0.0.1@h/r"])
def test_an_unencrypted_repository_off_loopback_is_refused(url: str, connects: bool) -> None:
    with pytest.raises(
        ConfigError, match=r"NIXFLEET_REPO_URL is unencrypted to h.*NIXFLEET_ALLOW_PLAIN_HTTP=1"
    ):
        load({**GOOD, "NIXFLEET_REPO_URL": url}, connects=connects)

    assert config(NIXFLEET_REPO_URL=url, NIXFLEET_ALLOW_PLAIN_HTTP="1").repo_url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/r", "git://localhost/r", "http://[::1]:8000/r"])
def test_an_unencrypted_repository_on_this_machine_is_taken(url: str) -> None:
    assert config(NIXFLEET_REPO_URL=url).repo_url == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1\\@h/r", "https://h:x/r", "https://-oX/r", "ssh://-oProxyCommand=x/r"]
)
def test_an_address_that_can_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="NIXFLEET_REPO_URL"):
        config(NIXFLEET_REPO_URL=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://h/r.git",
        "https://me@h:8443/r@v2",
        "ssh://git@h:22/a@b",
        "ssh://h/~me/r",
        "file:///a:b@c",
        "ssh://git@h:22/r",
        "git@github.com:o/r.git",
        "file:///srv/r",
        "/srv/my repo",
    ],
)
def test_ordinary_repositories_are_taken(url: str) -> None:
    assert config(NIXFLEET_REPO_URL=url).repo_url == url


def test_plain_http_off_loopback_can_be_allowed() -> None:
    assert config(NIXFLEET_URL="http://fleet.lan", NIXFLEET_ALLOW_PLAIN_HTTP="1").url


def test_the_domain_is_not_part_of_the_host_s_name() -> None:
    """Original bug 21: the name changed with the network (imac0.lan)."""
    assert config(NIXFLEET_HOSTNAME="imac0.lan").hostname == "imac0"


def test_defaults_are_the_documented_ones() -> None:
    found = config()

    assert (found.interval, found.branch, found.metrics, found.log_max) == (30.0, "main", "auto", 256 * 2**20)
    assert (found.platform, found.log_level, found.log_format) == ("script", "info", "auto")


def test_the_most_output_that_the_server_takes_can_be_configured() -> None:
    assert config(NIXFLEET_LOG_MAX="1GiB").log_max == limits.LOG_MAX_LIMIT


def test_a_runner_needs_neither_server_nor_token() -> None:
    assert load({"NIXFLEET_HOSTNAME": "web1"}, connects=False).url is None


def test_the_token_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    found = config(NIXFLEET_TOKEN="", NIXFLEET_TOKEN_FILE=str(file))
    first = found.read_token()
    file.write_text("two\n")

    assert (first, found.read_token()) == ("one", "two")


@pytest.mark.parametrize("content", [None, b"", b"two words", b"two\nlines", b"\xff"])
def test_a_bad_token_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match="NIXFLEET_TOKEN_FILE"):
        config(NIXFLEET_TOKEN="", NIXFLEET_TOKEN_FILE=str(file)).read_token()
