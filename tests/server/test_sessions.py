"""Sessions and login limits: what a browser and a stranger can do with them."""

from pathlib import Path

import httpx

from nixfleet_server.auth.sessions import SessionCookies
from tests.server.access_support import page_of
from tests.server.support import HASH, PASSWORD, FakeBrowser, ServerThread, problem, serving, until


def cookie_of(client: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def test_sessions_are_listed_and_ended_with_their_sockets(server: ServerThread) -> None:
    with page_of(server) as one, page_of(server) as two, page_of(server) as three:
        two.headers["User-Agent"] = "Two/2.0"
        two.get("/api/v1/hosts")
        listed = one.get("/api/v1/sessions").json()["sessions"]
        assert len(listed) == 3
        assert [session["current"] for session in listed] == [False, False, True]
        assert {session["address"] for session in listed} == {"127.0.0.1"}
        mine = two.get("/api/v1/sessions").json()["sessions"]
        assert [session["current"] for session in mine] == [False, True, False]
        with (
            FakeBrowser(server, Cookie=cookie_of(two), Origin=server.url) as watching,
            FakeBrowser(server, Cookie=cookie_of(one), Origin=server.url) as kept,
        ):
            until(lambda: len(server.hub.browsers) == 2, "connected")
            second = next(s["id"] for s in mine if s["current"])
            assert one.delete(f"/api/v1/sessions/{second}").status_code == 204
            assert watching.closed()[0] == 1008
            assert problem(two.get("/api/v1/hosts")) == (401, "not_authenticated")
            assert problem(one.delete(f"/api/v1/sessions/{second}")) == (404, "no_such_session")
            assert problem(one.delete("/api/v1/sessions/%25")) == (404, "no_such_session")
            assert one.delete("/api/v1/sessions").status_code == 204
            assert problem(three.get("/api/v1/hosts")) == (401, "not_authenticated")
            assert len(one.get("/api/v1/sessions").json()["sessions"]) == 1
            assert len(server.hub.browsers) == 1
            kept.socket.close()
        text = one.get("/api/v1/sessions").text
        assert not any(cookie.split(".")[0] in text for cookie in one.cookies.values())


def test_a_new_login_is_a_new_session_and_ends_the_one_before(server: ServerThread) -> None:
    with page_of(server) as page:
        before = dict(page.cookies)
        answer = page.post("/api/v1/session", json={"password": PASSWORD})
        assert page.cookies["nixfleet"] != before["nixfleet"]
        page.headers["X-CSRF-Token"] = answer.json()["csrf"]
        assert len(page.get("/api/v1/sessions").json()["sessions"]) == 1
        with server.client() as thief:
            thief.cookies.update(before)
            assert thief.get("/api/v1/hosts").status_code == 401


def test_cookie_secrets_are_rotated_without_a_logout(tmp_path: Path) -> None:
    old, new = "o" * 40, "n" * 40
    data = tmp_path / "data"
    with serving(data, env={"NIXFLEET_SESSION_SECRETS": old}) as server, page_of(server) as page:
        cookies = dict(page.cookies)
    for secrets, status in ((f"{new},{old}", 200), (new, 401)):
        with serving(data, env={"NIXFLEET_SESSION_SECRETS": secrets}) as server, server.client() as client:
            client.cookies.update(cookies)
            assert client.get("/api/v1/hosts").status_code == status
    _, value = SessionCookies([new, old], HASH).new()
    assert SessionCookies([new], HASH).read(value)
    assert SessionCookies([old], HASH).read(value) is None


def test_a_stranger_behind_the_same_proxy_does_not_lock_the_operator_out(server: ServerThread) -> None:
    with page_of(server) as page, server.client() as stranger:
        for _ in range(5):
            assert stranger.post("/api/v1/session", json={"password": "guess"}).status_code == 401
        assert stranger.post("/api/v1/session", json={"password": "guess"}).status_code == 429
        # the operator's browser was here before, and counts for itself
        assert page.post("/api/v1/session", json={"password": PASSWORD}).status_code == 200
        for _ in range(5):
            assert page.post("/api/v1/session", json={"password": "guess"}).status_code == 401
        assert page.post("/api/v1/session", json={"password": PASSWORD}).status_code == 429
        # nobody makes such a cookie
        stranger.cookies.set("nixfleet-device", "0" * 32 + ".forged")
        assert stranger.post("/api/v1/session", json={"password": PASSWORD}).status_code == 429


def test_the_limit_is_for_an_ipv6_network(tmp_path: Path) -> None:
    env = {"NIXFLEET_TRUSTED_PROXIES": "127.0.0.1"}
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        statuses = [
            client.post(
                "/api/v1/session",
                json={"password": "wrong"},
                headers={"X-Forwarded-For": f"2001:db8:1:2::{number:x}"},
            ).status_code
            for number in range(6)
        ]
        assert statuses == [401] * 5 + [429]
        other = {"X-Forwarded-For": "2001:db8:1:3::1"}
        assert client.post("/api/v1/session", json={"password": "x"}, headers=other).status_code == 401


def test_where_a_browser_tells_where_a_request_comes_from_it_must_be_our_page(server: ServerThread) -> None:
    with page_of(server) as page:
        for site, status in (("cross-site", 403), ("same-site", 403), ("none", 403), ("same-origin", 204)):
            headers = {"Sec-Fetch-Site": site}
            assert page.delete("/api/v1/sessions", headers=headers).status_code == status
        answer = page.post(
            "/api/v1/session", json={"password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert problem(answer) == (403, "csrf")


def test_too_many_strangers_at_once_are_turned_away(server: ServerThread) -> None:
    assert server.context is not None
    server.context.strangers_waiting = 16
    with server.client() as stranger:
        answer = stranger.post("/api/v1/session", json={"password": PASSWORD})
        assert problem(answer) == (429, "too_many_logins")
        assert int(answer.headers["retry-after"]) > 0
