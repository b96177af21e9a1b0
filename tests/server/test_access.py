"""Set-up, password and second factor, as a page sees them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nixfleet_server.auth import login as auth
from nixfleet_server.auth.second import STEP
from tests.server.access_support import LONG, add_totp, code_now, fresh, page_of, set_up
from tests.server.support import HASH, PASSWORD, FakeBrowser, ServerThread, problem, until


def test_the_first_password_is_set_once_with_the_link(tmp_path: Path) -> None:
    with fresh(tmp_path / "data") as (server, code), server.client() as client:
        assert client.get("/login").headers["location"] == "/setup"
        assert problem(client.post("/api/v1/session", json={"password": LONG})) == (401, "login_failed")
        wrong = client.post("/api/v1/setup", json={"code": "nfs_wrong", "password": LONG})
        assert problem(wrong) == (403, "setup_refused")
        short = client.post("/api/v1/setup", json={"code": code, "password": "short"})
        assert problem(short) == (422, "invalid")
        body = {"code": code, "password": LONG}
        foreign = client.post("/api/v1/setup", json=body, headers={"Origin": "https://evil.example"})
        assert problem(foreign) == (403, "csrf")
        assert client.post("/api/v1/setup", json=body).status_code == 200
        assert client.get("/").status_code == 200  # logged in
        assert problem(client.post("/api/v1/setup", json=body)) == (409, "already_set_up")
        assert client.get("/setup").headers["location"] == "/login"
        client.cookies.clear()
        assert client.post("/api/v1/session", json={"password": LONG}).status_code == 200


def test_of_many_who_set_up_at_once_one_wins(tmp_path: Path) -> None:
    with fresh(tmp_path / "data") as (server, code):

        def attempt(number: int) -> int:
            with server.client() as client:
                body = {"code": code, "password": f"password number {number}"}
                return client.post("/api/v1/setup", json=body).status_code

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(attempt, range(4))) == [200, 409, 409, 409]


def test_an_old_set_up_link_is_worth_nothing(tmp_path: Path) -> None:
    with fresh(tmp_path / "data") as (server, code), server.client() as client:
        real = server.hub.now
        server.hub.now = lambda: real() + 24 * 3_600_000 + 1
        answer = client.post("/api/v1/setup", json={"code": code, "password": LONG})
        assert problem(answer) == (403, "setup_refused")


def test_a_new_password_ends_every_other_session_and_its_sockets(tmp_path: Path) -> None:
    with set_up(tmp_path / "data") as (server, page), page_of(server, LONG) as other:
        cookie = "; ".join(f"{name}={value}" for name, value in other.cookies.items())
        with FakeBrowser(server, Cookie=cookie, Origin=server.url) as browser:
            until(lambda: len(server.hub.browsers) == 1, "connected")
            wrong = page.post("/api/v1/password", json={"current": "wrong", "new": "another long one"})
            assert problem(wrong) == (403, "not_confirmed")
            weak = page.post("/api/v1/password", json={"current": LONG, "new": "aaaaaaaaaaaaaaaa"})
            assert problem(weak) == (422, "invalid")
            assert other.get("/api/v1/hosts").status_code == 200
            body = {"current": LONG, "new": "another long one"}
            assert page.post("/api/v1/password", json=body).status_code == 204
            assert browser.closed()[0] == 1008
        assert page.get("/api/v1/hosts").status_code == 200
        assert problem(other.get("/api/v1/hosts")) == (401, "not_authenticated")
        with server.client() as client:
            assert client.post("/api/v1/session", json={"password": LONG}).status_code == 401
            assert client.post("/api/v1/session", json={"password": "another long one"}).status_code == 200


def test_what_the_environment_sets_cannot_be_changed_here(server: ServerThread) -> None:
    with page_of(server) as page:
        view = page.get("/api/v1/access").json()
        assert view == {"password": "environment", "totp": "none", "recovery_codes": 0}
        body = {"current": PASSWORD, "new": "another long one"}
        answer = page.post("/api/v1/password", json=body)
        assert problem(answer) == (409, "set_by_environment")
        assert "NIXFLEET_PASSWORD_HASH" in answer.json()["detail"]


def test_the_environments_second_factor(tmp_path: Path) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    env = {"NIXFLEET_TOTP_SECRET": secret, "NIXFLEET_PASSWORD_HASH": HASH}
    with fresh(tmp_path / "data", env=env) as (server, _), server.client() as client:
        assert client.post("/api/v1/session", json={"password": PASSWORD}).status_code == 401
        with page_of(server, code=code_now(secret)) as page:
            assert page.get("/api/v1/access").json()["totp"] == "environment"
            assert problem(page.post("/api/v1/totp")) == (409, "set_by_environment")
            body = {"code": code_now(secret, 1), "password": PASSWORD}
            assert problem(page.request("DELETE", "/api/v1/totp", json=body))[1] == "set_by_environment"
            assert len(page.post("/api/v1/totp/recovery", json=body).json()["codes"]) == 10


def test_the_second_factor_is_in_force_once_it_is_confirmed(tmp_path: Path) -> None:
    with set_up(tmp_path / "data") as (server, page), page_of(server, LONG) as other:
        start = page.post("/api/v1/totp").json()
        assert start["secret"] in start["uri"]
        assert start["uri"].startswith("otpauth://totp/")
        assert ET.fromstring(start["qr"]).tag.endswith("svg")
        assert "style" not in start["qr"]
        with page_of(server, LONG):  # not yet in force
            pass
        for body in (
            {"code": "000000", "password": LONG},
            {"code": code_now(start["secret"]), "password": "wrong"},
        ):
            assert problem(page.post("/api/v1/totp/confirm", json=body)) == (403, "not_confirmed")
        body = {"code": code_now(start["secret"]), "password": LONG}
        codes = page.post("/api/v1/totp/confirm", json=body).json()["codes"]
        assert len(set(codes)) == 10
        assert page.get("/api/v1/access").json() == {
            "password": "database",
            "totp": "database",
            "recovery_codes": 10,
        }
        assert other.get("/api/v1/hosts").status_code == 401  # whoever knew only the password is out
        assert problem(page.post("/api/v1/totp")) == (409, "totp_on")
        with server.client() as client:
            for wrong in ({}, {"code": ""}, {"code": "000000"}, {"code": code_now(start["secret"])}):
                answer = client.post("/api/v1/session", json={"password": LONG, **wrong})
                assert problem(answer) == (401, "login_failed"), wrong
        drop = {"code": code_now(start["secret"], 1), "password": LONG}
        assert page.request("DELETE", "/api/v1/totp", json={**drop, "code": "1"}).status_code == 403
        assert page.request("DELETE", "/api/v1/totp", json=drop).status_code == 204
        assert page.get("/api/v1/access").json()["totp"] == "none"
        assert problem(page.post("/api/v1/totp/recovery", json=drop)) == (409, "totp_off")


def test_a_recovery_code_works_once(tmp_path: Path) -> None:
    with set_up(tmp_path / "data") as (server, page):
        _, codes = add_totp(page)
        with page_of(server, LONG, code=codes[0].lower().replace("-", " ")) as again:
            assert again.get("/api/v1/access").json()["recovery_codes"] == 9
        with server.client() as client:
            answer = client.post("/api/v1/session", json={"password": LONG, "code": codes[0]})
            assert problem(answer) == (401, "login_failed")
        new = page.post("/api/v1/totp/recovery", json={"code": codes[1], "password": LONG}).json()["codes"]
        assert not set(new) & set(codes)
        with server.client() as client:
            answer = client.post("/api/v1/session", json={"password": LONG, "code": codes[2]})
            assert problem(answer) == (401, "login_failed")
        with page_of(server, LONG, code=new[0]):
            pass
        entries = page.get("/api/v1/audit").json()["entries"]
        assert [e["detail"] for e in entries if e["action"] == "login" and e["outcome"] == "ok"] == [
            "with a recovery code",
            "with a recovery code",
        ]


def test_one_code_lets_one_in_however_many_try_at_once(tmp_path: Path) -> None:
    env = {"NIXFLEET_TRUSTED_PROXIES": "127.0.0.1"}
    with set_up(tmp_path / "data", env=env) as (server, page):
        secret, _ = add_totp(page)
        code = code_now(secret, 1)

        def attempt(number: int) -> int:
            with server.client() as client:
                headers = {"X-Forwarded-For": f"192.0.2.{number}"}
                body = {"password": LONG, "code": code}
                return client.post("/api/v1/session", json=body, headers=headers).status_code

        with ThreadPoolExecutor(10) as pool:
            assert sorted(pool.map(attempt, range(20))) == [200] + [401] * 19
        real = server.hub.now
        server.hub.now = lambda: real() + STEP * 1000  # it is the current one now, and used
        with server.client() as client:
            assert client.post("/api/v1/session", json={"password": LONG, "code": code}).status_code == 401


def test_every_failure_costs_the_same_work_and_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not measured in seconds, which lie: one hash is verified, one code compared, one transaction made."""
    work: list[str] = []
    for name in ("verify", "step_of", "recovery_hash"):
        real = getattr(auth, name)

        def counted(*args: object, _real: object = real, _name: str = name) -> object:
            work.append(_name)
            return _real(*args)  # type: ignore[operator]

        monkeypatch.setattr(auth, name, counted)
    with set_up(tmp_path / "data") as (server, page):
        secret, codes = add_totp(page)
        seen = []
        with server.client() as client:
            for password, code in (
                ("wrong", code_now(secret, 1)),
                ("wrong", "000000"),
                (LONG, "000000"),
                (LONG, None),
                ("wrong", codes[0]),
            ):
                work.clear()
                answer = client.post("/api/v1/session", json={"password": password, "code": code})
                seen.append((answer.status_code, answer.json(), tuple(work)))
        assert {status for status, _, _ in seen} == {401}
        assert len({str(body) for _, body, _ in seen}) == 1
        assert {steps for _, _, steps in seen} == {("verify", "step_of", "recovery_hash")}
        server.call(lambda: server.context.attempts.clear())  # type: ignore[union-attr, attr-defined]
        # and nothing was used up by who did not know the password
        with page_of(server, LONG, code=code_now(secret, 1)) as again:
            assert again.get("/api/v1/access").json()["recovery_codes"] == 10
        page.headers["Origin"] = server.url
        details = {
            e["detail"]
            for e in page.get("/api/v1/audit").json()["entries"]
            if e["action"] == "login" and e["outcome"] != "ok"
        }
        assert details == {"the password was wrong", "the password was right, the code was not"}
