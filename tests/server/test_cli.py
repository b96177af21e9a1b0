"""The commands: exit codes, output, one clear line when something is wrong."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nixfleet_server.auth.passwords import verify
from nixfleet_server.lock import owner
from tests.server.support import HASH, FakeAgent, ServerThread

Run = Callable[..., tuple[int, str, str]]


def test_hosts_are_added_listed_rotated_and_removed(run: Run) -> None:
    code, out, _ = run("host", "add", "web1", "--criticality", "high", "--json")
    added = json.loads(out)
    assert (code, added["host_id"]) == (0, "web1")
    assert added["token"].startswith("nfa_")
    run("host", "add", "db1")
    code, out, _ = run("host", "list", "--json")
    assert [host["host_id"] for host in json.loads(out)] == ["web1", "db1"]
    assert added["token"] not in out
    rotated = json.loads(run("host", "rotate", "web1", "--json")[1])
    assert rotated["token"] != added["token"]
    assert run("host", "remove", "web1")[:2] == (0, "removed web1\n")
    code, _, err = run("host", "rotate", "web1")
    assert (code, "host list" in err) == (1, True)
    assert "db1" in run("host", "list")[1]


def test_an_agent_writes_nothing_to_the_operators_terminal(server: ServerThread, run: Run) -> None:
    with FakeAgent(server, server.host()) as agent:
        agent.register(agent_version="1.0\x1b]0;mine\x07\x1b[2J\x9b2J\n")
        code, out, _ = run("host", "list")
        assert (code, "1.0" in out, set(out) & {"\x1b", "\x07", "\x9b"}) == (0, True, set())
        assert out.count("\n") == 2
        assert run("host", "list", "--json")[1].isascii()


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 64, "ä", "../etc", "web1\n"])
def test_bad_host_names_are_refused(run: Run, name: str) -> None:
    code, _, err = run("host", "add", "--", name)
    assert (code, err.count("\n")) == (2, 1)
    assert "63" in err


def test_a_wrong_directory_does_not_look_like_an_empty_fleet(run: Run, tmp_path: Path) -> None:
    code, out, err = run("host", "list")
    assert (code, out) == (2, "")
    assert str(tmp_path / "data" / "nixfleet.db") in err
    assert not (tmp_path / "data").exists()
    assert "making a new database" in run("host", "add", "web1")[2]
    assert run("host", "add", "web2")[2] == ""


def test_a_name_is_given_once(run: Run) -> None:
    assert run("host", "add", "web1")[0] == 0
    code, _, err = run("host", "add", "WEB1")
    assert (code, "rotate" in err) == (1, True)
    assert run("token", "add", "me")[0] == 0
    assert run("token", "add", "me")[0] == 1


def test_tokens_are_shown_once(run: Run) -> None:
    token = json.loads(run("token", "add", "ci", "--scope", "read", "--json")[1])["token"]
    listed = run("token", "list", "--json")[1]
    assert token not in listed
    assert [(row["name"], row["scope"]) for row in json.loads(listed)] == [("ci", "read")]
    assert run("token", "remove", "ci")[0] == 0
    assert run("token", "remove", "ci")[0] == 1


@pytest.mark.parametrize("scheme", ["argon2id", "bcrypt"])
def test_a_password_from_standard_input_is_hashed(
    run: Run, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    code, out, _ = run("hash-password", "--scheme", scheme)
    assert code == 0
    assert verify("hunter2", out.strip())
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert run("hash-password")[0] == 2


def test_an_address_in_use_is_named(run: Run, server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIXFLEET_PASSWORD_HASH", HASH)
    address = server.url.removeprefix("http://")
    code, _, err = run("serve", "--listen", address)
    assert (code, address in err, "in use" in err) == (2, True, True)


def test_wrong_usage_and_configuration_exit_2(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for argv in ([], ["nonsense"], ["host"], ["host", "add"], ["host", "add", "x", "--criticality", "huge"]):
        assert run(*argv)[0] == 2
    monkeypatch.setenv("NIXFLEET_LISTEN", "nowhere")
    code, _, err = run("config")
    assert (code, "NIXFLEET_LISTEN" in err) == (2, True)
    monkeypatch.delenv("NIXFLEET_LISTEN")
    (tmp_path / "file").write_text("")
    assert run("host", "list", "--data-dir", str(tmp_path / "file"))[0] == 2


def test_help_and_version(run: Run) -> None:
    for argv in (
        ["--help"],
        ["serve", "--help"],
        ["host", "add", "--help"],
        ["token", "--help"],
        ["--version"],
    ):
        code, out, _ = run(*argv)
        assert code == 0
        assert "nixfleet-server" in out


def test_config_shows_what_is_in_effect_and_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIXFLEET_PASSWORD_HASH", HASH)
    monkeypatch.setenv("NIXFLEET_SESSION_SECRETS", "s" * 40)
    for argv in (["config"], ["config", "--json"]):
        code, out, _ = run(*argv)
        assert code == 0
        assert HASH not in out
        assert "s" * 40 not in out
        assert "(set)" in out
    assert json.loads(out)["NIXFLEET_LISTEN"] == "127.0.0.1:8000"


def test_migrate(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with owner(data):
        assert run("migrate")[0] == 2
    assert "migrated" in run("migrate")[1]
    assert "nothing to do" in run("migrate")[1]


def test_commands_work_while_the_server_serves(server: ServerThread, run: Run) -> None:
    data = str(server.data)
    token = json.loads(run("host", "add", "late", "--json", "--data-dir", data)[1])["token"]
    with FakeAgent(server, token, "late") as agent:
        assert agent.register().host_id == "late"
        run("host", "remove", "late", "--data-dir", data)
        assert agent.closed()[0] == 1008
