"""Spec T04, access: logging in and out, the second factor, wrong words, too many tries, the end of a session, CSRF."""

import time
from collections.abc import Iterator

import httpx
import pyotp
import pytest
from sqlalchemy import text

from nixfleet_protocol.messages import Ack
from tests.server.support import PASSWORD, FakeAgent, ServerProcess, login, problem
from tests.specs.served import served

SECRET = pyotp.random_base32()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Any number of clients: a trusted proxy says who asks, so that a test's tries are its own."""
    with served(tmp_path_factory.mktemp("t04"), NIXFLEET_TRUSTED_PROXIES="127.0.0.1") as made:
        yield made


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The same with a second factor."""
    with served(
        tmp_path_factory.mktemp("t04-totp"), NIXFLEET_TOTP_SECRET=SECRET, NIXFLEET_TRUSTED_PROXIES="127.0.0.1"
    ) as made:
        yield made


def client(server: ServerProcess, address: str) -> httpx.Client:
    made = server.client()
    made.headers["X-Forwarded-For"] = address
    return made


def try_login(http: httpx.Client, **body: str) -> httpx.Response:
    return http.post("/api/v1/session", json=body)


def test_a_login_gives_a_signed_cookie_that_opens_the_fleet(server: ServerProcess) -> None:
    with client(server, "192.0.2.1") as http:
        answer = try_login(http, password=PASSWORD)
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Max-Age=86400" in cookie
        assert http.get("/api/v1/hosts").status_code == 200
        value = http.cookies["nixfleet"]
        assert "." in value, "the id and its signature"
    with client(server, "192.0.2.1") as thief:
        forged = {"Cookie": f"nixfleet={value[:-3]}xxx"}
        assert thief.get("/api/v1/hosts", headers={"Cookie": f"nixfleet={value}"}).status_code == 200
        assert problem(thief.get("/api/v1/hosts", headers=forged)) == (401, "not_authenticated")


def test_password_and_code(careful: ServerProcess) -> None:
    with client(careful, "192.0.2.2") as http:
        assert try_login(http, password=PASSWORD, code=pyotp.TOTP(SECRET).now()).status_code == 200
        assert http.get("/api/v1/hosts").status_code == 200


def test_a_wrong_password_and_a_wrong_code_are_told_alike(careful: ServerProcess) -> None:
    right = pyotp.TOTP(SECRET).at(int(time.time()) + 30)  # the one used above can't be used again
    wrong = "000000" if right != "000000" else "111111"
    answers = []
    with client(careful, "192.0.2.3") as http:
        for body in (
            {"password": "wrong", "code": right},
            {"password": PASSWORD, "code": wrong},
            {"password": PASSWORD},
        ):
            answer = try_login(http, **body)
            assert problem(answer) == (401, "login_failed")
            answers.append({key: value for key, value in answer.json().items() if key != "instance"})
    assert answers[0] == answers[1] == answers[2]


def test_the_sixth_attempt_in_a_minute_is_refused(server: ServerProcess) -> None:
    with client(server, "192.0.2.4") as http:
        for _ in range(5):
            assert problem(try_login(http, password="wrong")) == (401, "login_failed")
        answer = try_login(http, password=PASSWORD)
        assert problem(answer) == (429, "too_many_logins")
        assert 0 < int(answer.headers["retry-after"]) <= 60
    with client(server, "192.0.2.5") as http:
        login(http)  # others are not locked out


def test_a_session_ends_after_a_day_and_is_gone(server: ServerProcess) -> None:
    with client(server, "192.0.2.6") as http:
        login(http)
        server.admin(lambda s: s.connection().execute(text("UPDATE session SET expires_at = 1")))
        assert problem(http.get("/api/v1/hosts")) == (401, "not_authenticated")
        login(http)  # which forgets those that are over
        count = server.admin(
            lambda s: (
                s.connection().execute(text("SELECT count(*) FROM session WHERE expires_at = 1")).scalar()
            )
        )
        assert count == 0


def test_logging_out_ends_the_session(server: ServerProcess) -> None:
    with client(server, "192.0.2.7") as http:
        csrf = login(http)
        cookies = dict(http.cookies)
        headers = {"X-CSRF-Token": csrf, "Origin": server.url}
        assert http.delete("/api/v1/session", headers=headers).status_code == 204
        again = "; ".join(f"{name}={value}" for name, value in cookies.items())
        assert problem(http.get("/api/v1/hosts", headers={"Cookie": again})) == (401, "not_authenticated")


def test_a_change_without_the_csrf_token_is_refused_and_changes_nothing(server: ServerProcess) -> None:
    token = server.host("t04")
    with FakeAgent(server, token, "t04") as agent, client(server, "192.0.2.8") as http:
        agent.register()
        csrf = login(http)
        body = {"command": "pull"}
        for headers in (
            {"Origin": server.url},
            {"X-CSRF-Token": csrf},
            {"X-CSRF-Token": csrf, "Origin": "https://evil.example"},
        ):
            answer = http.post("/api/v1/hosts/t04/runs", json=body, headers=headers)
            assert problem(answer) == (403, "csrf")
        assert agent.quiet() == []
        headers = {"X-CSRF-Token": csrf, "Origin": server.url}
        assert http.post("/api/v1/hosts/t04/runs", json=body, headers=headers).status_code == 201
        agent.end(agent.take(), 0)
        agent.expect(Ack, lambda ack: ack.ended)


def test_strangers_are_sent_to_the_login(server: ServerProcess) -> None:
    with client(server, "192.0.2.9") as http:
        answer = http.get("/")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login"
        assert problem(http.get("/api/v1/hosts")) == (401, "not_authenticated")
