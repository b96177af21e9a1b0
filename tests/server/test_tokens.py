"""Tokens for scripts and for enrolment."""

import httpx
import pytest

from nixfleet_server.store import access
from nixfleet_server.store import enroll as enroll_store
from tests.server.support import FakeAgent, FakeBrowser, ServerThread, problem, until


def test_a_token_is_made_shown_once_used_and_revoked_with_its_sockets(
    server: ServerThread, boss: httpx.Client
) -> None:
    made = boss.post("/api/v1/tokens", json={"name": "ci", "scope": "read"}).json()
    assert (made["name"], made["scope"], made["expires_at"]) == ("ci", "read", None)
    assert problem(boss.post("/api/v1/tokens", json={"name": "ci"})) == (409, "token_exists")
    for name in ("admin", "-x", ""):
        assert problem(boss.post("/api/v1/tokens", json={"name": name})) == (422, "invalid")
    listed = boss.get("/api/v1/tokens")
    assert made["token"] not in listed.text
    assert [token["name"] for token in listed.json()["tokens"]] == ["ci", "boss"]
    with server.client(made["token"]) as client, FakeBrowser(server, token=made["token"]) as browser:
        until(lambda: len(server.hub.browsers) == 1, "connected")
        assert client.get("/api/v1/hosts").status_code == 200
        used = boss.get("/api/v1/tokens").json()["tokens"][0]
        assert used["last_used_at"]
        assert boss.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
        assert browser.closed()[0] == 1008
        assert problem(client.get("/api/v1/hosts")) == (401, "not_authenticated")
    assert problem(boss.delete(f"/api/v1/tokens/{made['id']}")) == (404, "no_such_token")


def test_a_token_revoked_while_its_socket_opens_leaves_no_socket(server: ServerThread) -> None:
    token = server.token("brief")
    hub = server.hub
    with server.client(token) as client:
        client.get("/api/v1/hosts")  # so that nothing is left to be noticed
    real = hub.refresh

    async def revoke() -> bool:  # between the look at the token and the socket
        await hub.db.write(lambda db: access.remove_token(db, "brief"))
        return False

    hub.refresh = revoke
    try:
        with FakeBrowser(server, token=token) as browser:
            hub.refresh = real
            assert browser.closed()[0] == 1008
    finally:
        hub.refresh = real


def test_a_token_expires_with_its_sockets(server: ServerThread, boss: httpx.Client) -> None:
    made = boss.post("/api/v1/tokens", json={"name": "brief", "expires_in": 60}).json()
    with server.client(made["token"]) as client, FakeBrowser(server, token=made["token"]) as browser:
        until(lambda: len(server.hub.browsers) == 1, "connected")
        assert client.get("/api/v1/hosts").status_code == 200
        real = server.hub.now
        server.hub.now = lambda: real() + 61_000
        assert problem(client.get("/api/v1/hosts")) == (401, "not_authenticated")
        assert browser.closed()[0] == 1008


def test_tokens_are_taken_from_the_header_only(server: ServerThread) -> None:
    token = server.token("script", "admin")
    with server.client() as client:
        for query in (f"token={token}", f"access_token={token}", f"authorization=Bearer%20{token}"):
            assert client.get(f"/api/v1/hosts?{query}").status_code == 401
        client.cookies.set("nixfleet", token)
        assert client.get("/api/v1/hosts").status_code == 401


def test_an_enrolment_token_lets_one_agent_in(server: ServerThread, boss: httpx.Client) -> None:
    made = boss.post("/api/v1/enroll-tokens", json={"host": "db1"}).json()
    assert (made["host"], made["used_by"]) == ("db1", None)
    with server.client() as stranger:
        refusals = [
            stranger.post("/api/v1/enroll", json={"token": token, "hostname": name})
            for token, name in (("nfe_wrong", "db1"), (made["token"], "db2"), (made["id"], "db1"))
        ]
        enrolled = stranger.post("/api/v1/enroll", json={"token": made["token"], "hostname": "db1"})
        assert enrolled.status_code == 201
        refusals.append(stranger.post("/api/v1/enroll", json={"token": made["token"], "hostname": "db1"}))
        assert {problem(answer) for answer in refusals} == {(403, "enroll_refused")}
        assert len({answer.text for answer in refusals}) == 1
    with FakeAgent(server, enrolled.json()["token"], "db1") as agent:
        assert agent.register().host_id == "db1"
    [listed] = boss.get("/api/v1/enroll-tokens").json()["tokens"]
    assert listed["used_by"] == "db1"
    late = boss.delete(f"/api/v1/enroll-tokens/{listed['id']}")
    assert problem(late) == (409, "token_used")  # not a success: who had it is in
    assert "let in db1 already" in late.json()["detail"]
    entry = next(e for e in boss.get("/api/v1/audit").json()["entries"] if e["outcome"] == "ok")
    assert (entry["who"], entry["action"], entry["subject"]) == ("db1", "enroll", "db1")


def test_enrolment_tokens_expire_are_revoked_and_do_not_take_a_host_over(
    server: ServerThread, boss: httpx.Client, web1: str
) -> None:
    def enroll(token: str, name: str = "db1") -> httpx.Response:
        with server.client() as stranger:
            return stranger.post("/api/v1/enroll", json={"token": token, "hostname": name})

    revoked = boss.post("/api/v1/enroll-tokens", json={}).json()
    assert boss.delete(f"/api/v1/enroll-tokens/{revoked['id']}").status_code == 204
    assert problem(boss.delete(f"/api/v1/enroll-tokens/{revoked['id']}")) == (404, "no_such_token")
    assert problem(enroll(revoked["token"])) == (403, "enroll_refused")
    free = boss.post("/api/v1/enroll-tokens", json={"expires_in": 60}).json()
    assert problem(enroll(free["token"], "WEB1")) == (409, "host_exists")
    real = server.hub.now
    server.hub.now = lambda: real() + 61_000
    assert problem(enroll(free["token"])) == (403, "enroll_refused")
    server.hub.now = real
    assert enroll(free["token"]).status_code == 201  # the refusals used nothing up
    with FakeAgent(server, web1) as agent:
        agent.register()


def test_only_tokens_that_wait_count_towards_the_most(
    server: ServerThread, boss: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enroll_store, "TOKENS_MAX", 3)
    for name in ("a", "b", "c", "d", "e"):
        made = boss.post("/api/v1/enroll-tokens", json={"host": name}).json()
        with server.client() as stranger:
            body = {"token": made["token"], "hostname": name}
            assert stranger.post("/api/v1/enroll", json=body).status_code == 201
    for _ in range(3):
        waiting = boss.post("/api/v1/enroll-tokens", json={})
        assert waiting.status_code == 201
    full = boss.post("/api/v1/enroll-tokens", json={})
    assert problem(full) == (409, "too_many_tokens")
    listed = boss.get("/api/v1/enroll-tokens").json()["tokens"]
    assert [one["used_by"] for one in listed] == [None, None, None, "e", "d"]  # of the used ones the newest
    boss.delete(f"/api/v1/enroll-tokens/{waiting.json()['id']}")
    assert boss.post("/api/v1/enroll-tokens", json={}).status_code == 201


def test_enrolling_is_limited(server: ServerThread) -> None:
    with server.client() as stranger:
        body = {"token": "nfe_guess", "hostname": "x"}
        statuses = [stranger.post("/api/v1/enroll", json=body).status_code for _ in range(21)]
        assert statuses == [403] * 20 + [429]


def test_about(server: ServerThread, boss: httpx.Client) -> None:
    about = boss.get("/api/v1/about").json()
    assert about["database"].startswith("sqlite 3.")
    assert about["free_bytes"] > 0
    assert 0 <= about["uptime"] < 3600
    month = 30 * 86_400
    server.call(lambda: setattr(server.context, "started", server.hub.monotonic() - month))
    assert boss.get("/api/v1/about").json()["uptime"] >= month
