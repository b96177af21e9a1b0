"""The commands about who gets in, alone and while a server serves."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from nixfleet_server.auth.second import step_of
from nixfleet_server.clock import wall_clock
from nixfleet_server.store import login as store
from tests.server.access_support import LONG, add_totp, code_now, page_of, set_up
from tests.server.support import FakeAgent, ServerThread, problem, until

Run = Callable[..., tuple[int, str, str]]


def test_an_enrolment_token_by_command(server: ServerThread, run: Run) -> None:
    code, out, _ = run(
        "enroll-token", "--host", "db1", "--expires", "15m", "--json", "--data-dir", str(server.data)
    )
    made = json.loads(out)
    assert (code, made["host"]) == (0, "db1")
    assert 14 * 60_000 < made["expires_at"] - wall_clock() <= 15 * 60_000
    with server.client() as stranger:
        body = {"token": made["token"], "hostname": "db1"}
        assert stranger.post("/api/v1/enroll", json=body).status_code == 201
    code, out, _ = run("enroll-token", "--data-dir", str(server.data))
    assert (code, "nixfleet-agent enroll" in out) == (0, True)
    for bad in ("0", "1y", "60d", "h", "-5"):
        assert run("enroll-token", "--expires", bad)[0] == 2


def test_a_host_is_rotated_with_an_overlap_while_the_server_serves(
    server: ServerThread,
    api: httpx.Client,
    web1: str,
    run: Run,
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        args = ("host", "rotate", "web1", "--overlap", "1h", "--json", "--data-dir", str(server.data))
        token = json.loads(run(*args)[1])["token"]
        until(lambda: api.get("/api/v1/hosts/web1").json()["token_overlap_until"], "noticed")
        agent.heartbeat()
        assert agent.quiet() == []
    with FakeAgent(server, token) as agent:
        agent.register()


def test_tokens_expire_and_are_revoked_by_command(server: ServerThread, run: Run) -> None:
    data = ("--data-dir", str(server.data))
    token = json.loads(run("token", "add", "ci", "--expires", "1h", "--json", *data)[1])["token"]
    with server.client(token) as client:
        assert client.get("/api/v1/hosts").status_code == 200
        [row] = json.loads(run("token", "list", "--json", *data)[1])
        assert row["expires_at"]
        assert run("token", "revoke", "ci", *data)[:2] == (0, "revoked ci\n")
        assert client.get("/api/v1/hosts").status_code == 401
    assert run("token", "add", "admin", *data)[0] == 1


def test_what_the_console_does_is_in_the_audit_log(
    server: ServerThread, boss: httpx.Client, run: Run
) -> None:
    data = ("--data-dir", str(server.data))
    run("host", "add", "db1", *data)
    run("host", "remove", "nobody", *data)
    [entry] = boss.get("/api/v1/audit").json()["entries"]
    assert (entry["who"], entry["action"], entry["subject"]) == ("console", "host.add", "db1")


def test_resetting_the_login_ends_sessions_and_gives_a_link(
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with set_up(tmp_path / "other") as (server, page):
        add_totp(page)
        far = str(2**40)  # as a login leaves it while the clock is wrong
        server.admin(lambda db: store.put(db, store.TOTP_STEP, far))
        data = ("--data-dir", str(server.data))
        monkeypatch.delenv("NIXFLEET_PASSWORD_HASH", raising=False)
        link = json.loads(run("reset-login", "--json", *data)[1])["link"]
        assert problem(page.get("/api/v1/hosts")) == (401, "not_authenticated")
        with server.client() as client:
            assert client.get("/login").headers["location"] == "/setup"
            body = {"code": link.partition("#")[2], "password": "the next long one"}
            assert client.post("/api/v1/setup", json=body).status_code == 200
        with page_of(server, "the next long one") as again:
            secret, _ = add_totp(again, "the next long one")
        with page_of(server, "the next long one", code=code_now(secret, 1)):
            pass


def test_the_second_factor_by_command(
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with set_up(tmp_path / "other") as (server, _):
        data = ("--data-dir", str(server.data))
        secret = json.loads(run("totp", "--print", "--json", *data)[1])["secret"]
        assert step_of(code_now(secret), secret, wall_clock())
        monkeypatch.setattr("nixfleet_server.auth.second.new_secret", lambda: secret)
        monkeypatch.setattr("sys.stdin", io.StringIO("000000\n"))
        assert run("totp", *data)[0] == 1
        assert json.loads(run("totp", "--status", "--json", *data)[1])["totp"] == "none"
        monkeypatch.setattr("sys.stdin", io.StringIO(code_now(secret) + "\n"))
        code, out, err = run("totp", "--json", *data)
        assert (code, "otpauth://" in err) == (0, True)
        codes = json.loads(out)["recovery_codes"]
        with server.client() as client:
            assert client.post("/api/v1/session", json={"password": LONG}).status_code == 401
        with page_of(server, LONG, code=code_now(secret, 1)):
            pass
        assert run("totp", *data)[0] == 1
        new = json.loads(run("totp", "--recovery-codes", "--json", *data)[1])["recovery_codes"]
        assert not set(codes) & set(new)
        assert run("totp", "--remove", *data)[0] == 0
        assert run("totp", "--remove", *data)[0] == 1
        with page_of(server, LONG):
            pass


def test_the_doctor_finds_what_is_wrong(
    server: ServerThread,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def state(*argv: str) -> dict[str, str]:
        return {row["what"]: row["state"] for row in json.loads(run("doctor", "--json", *argv)[1])}

    monkeypatch.delenv("NIXFLEET_PASSWORD_HASH", raising=False)
    found = state("--data-dir", str(server.data))
    assert (found["database"], found["login"]) == ("ok", "warning")
    assert run("doctor", "--data-dir", str(tmp_path / "nowhere"))[0] == 1
    server.data.chmod(0o755)
    assert state("--data-dir", str(server.data))["data directory"] == "warning"
    broken = tmp_path / "broken"
    broken.mkdir(mode=0o700)
    (broken / "nixfleet.db").write_bytes(b"not a database, far from it" * 100)
    assert state("--data-dir", str(broken))["database"] == "bad"


def test_a_first_start_prints_the_link_and_no_default_password(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("NIXFLEET_")}
    argv = [sys.executable, "-m", "nixfleet_server", "serve", "--listen", "127.0.0.1:0"]
    argv += ["--data-dir", str(tmp_path / "data")]
    with (
        (tmp_path / "err").open("w") as errors,
        subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[3]
            link = process.stdout.readline().split()[-1]
            assert link.startswith(f"{url}/setup#nfs_")
            code = link.partition("#")[2]
            with httpx.Client(base_url=url, timeout=20) as client:
                body = {"code": code, "password": LONG}
                assert client.post("/api/v1/setup", json=body).status_code == 200
        finally:
            process.terminate()
        assert process.wait(20) == 0
    assert code not in (tmp_path / "err").read_text()
