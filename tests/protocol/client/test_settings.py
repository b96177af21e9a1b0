"""Where the client's configuration comes from, and what each mistake is called."""

from pathlib import Path

import pytest

from nixfleet_protocol.client import Misconfigured, Settings

URL = "https://fleet.example.org"


def resolve(tmp_path: Path, **environ: str) -> Settings:
    return Settings.resolve(environ={"NIXFLEET_URL": URL, "NIXFLEET_TOKEN": "t0ken"} | environ)


def test_the_environment(tmp_path: Path) -> None:
    assert resolve(tmp_path) == Settings(URL, "t0ken", None)
    assert (
        resolve(tmp_path, NIXFLEET_URL=f"{URL}/base/").socket_url == "wss://fleet.example.org/base/ws/browser"
    )
    assert resolve(tmp_path, NIXFLEET_URL="http://[::1]:8000").socket_url == "ws://[::1]:8000/ws/browser"


def test_arguments_win(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    environ = {"NIXFLEET_URL": URL, "NIXFLEET_TOKEN": "t0ken", "NIXFLEET_CA_FILE": "/etc/ca.pem"}
    assert Settings.resolve("http://127.0.0.1:1", "mine", "/my.pem", environ=environ) == Settings(
        "http://127.0.0.1:1", "mine", Path("/my.pem")
    )
    assert Settings.resolve(token_file=file, environ=environ).token == "from-file"
    assert Settings.resolve(environ=environ | {"NIXFLEET_TOKEN_FILE": str(file)}).token == "t0ken"
    del environ["NIXFLEET_TOKEN"]
    assert Settings.resolve(environ=environ | {"NIXFLEET_TOKEN_FILE": str(file)}).token == "from-file"


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://127.9.9.9", "http://[::1]", "http://demo.localhost"]
)
def test_plain_http_to_this_machine(tmp_path: Path, url: str) -> None:
    made = resolve(tmp_path, NIXFLEET_URL=url)
    assert made.local
    assert made.tls() is None


def test_plain_http_elsewhere_is_refused_unless_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"unencrypted.*NIXFLEET_ALLOW_PLAIN_HTTP=1"):
        resolve(tmp_path, NIXFLEET_URL="http://10.0.0.1")
    made = resolve(tmp_path, NIXFLEET_URL="http://10.0.0.1", NIXFLEET_ALLOW_PLAIN_HTTP="1")
    assert not made.local


@pytest.mark.parametrize(
    "url",
    [
        "fleet.example.org",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x?y=1",
        "https://x#y",
        "https://x:99999",
        "https://[x",
    ],
)
def test_what_is_no_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(Misconfigured, match="must look like https://"):
        resolve(tmp_path, NIXFLEET_URL=url)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="NIXFLEET_URL"):
        resolve(tmp_path, NIXFLEET_URL="")
    with pytest.raises(Misconfigured, match=r"NIXFLEET_TOKEN_FILE.*nixfleet-server token add"):
        resolve(tmp_path, NIXFLEET_TOKEN="")
    with pytest.raises(Misconfigured, match="gone can't be read: No such file"):
        resolve(tmp_path, NIXFLEET_TOKEN="", NIXFLEET_TOKEN_FILE=str(tmp_path / "gone"))


@pytest.mark.parametrize("token", ["two words", "line\nline", "ünï", "\x7f"])
def test_a_token_that_can_not_be_one_is_refused_without_being_shown(tmp_path: Path, token: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        resolve(tmp_path, NIXFLEET_TOKEN=token)
    assert token not in str(caught.value)


def test_a_binary_token_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="it is not text"):
        resolve(tmp_path, NIXFLEET_TOKEN="", NIXFLEET_TOKEN_FILE=str(tmp_path / "token"))


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_ca_file_that_can_not_be_used(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(Misconfigured, match=r"CA file .* can't be used"):
        resolve(tmp_path, NIXFLEET_CA_FILE=str(tmp_path / "ca.pem")).tls()
