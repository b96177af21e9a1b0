"""The JSON API and the pages, as a client sees them."""

import re
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest

from nixfleet_protocol.messages import Ack, Facts
from nixfleet_protocol.messages.api import HostList, LogPage, RunList
from nixfleet_protocol.validate import read_json
from nixfleet_server.api.routes import RULES
from tests.server.support import (
    HASH,
    PASSWORD,
    FakeAgent,
    ServerThread,
    login,
    new_run_id,
    output,
    problem,
    serving,
    start,
    until,
)


@pytest.fixture
def page(server: ServerThread) -> Iterator[httpx.Client]:
    """A browser that is logged in and sends what our page sends."""
    with server.client() as client:
        client.headers["Origin"] = server.url
        client.headers["X-CSRF-Token"] = login(client)
        yield client


def test_every_route_but_the_public_ones_wants_to_know_who_asks(server: ServerThread) -> None:
    with server.client() as stranger, server.client("nfc_wrong") as wrong:
        for rule in RULES:
            if rule.scope is not None:
                path = re.sub(r"{\w+}", "a" * 32, rule.path)
                assert problem(stranger.request(rule.method, path)) == (401, "not_authenticated")
                assert problem(wrong.request(rule.method, path)) == (401, "not_authenticated")
        assert stranger.get("/").headers["location"] == "/login"
        assert stranger.get("/login").status_code == 200


def test_a_login_form_that_the_browser_itself_sends_leads_back_to_the_login(server: ServerThread) -> None:
    """The page of 0.1.0 lets it, where one is faster than its script."""
    with server.client() as stranger:
        answer = stranger.post("/login", data={"username": "admin", "password": "whatever"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert "set-cookie" not in answer.headers


def test_a_session_from_login_to_logout(server: ServerThread) -> None:
    with server.client() as client:
        assert client.get("/").status_code == 303
        csrf = login(client)
        assert client.get("/api/v1/session").json()["csrf"] == csrf
        assert client.get("/").status_code == 200
        assert client.get("/login").headers["location"] == "/"
        headers = {"X-CSRF-Token": csrf, "Origin": server.url}
        old = dict(client.cookies)
        assert client.delete("/api/v1/session", headers=headers).status_code == 204
        assert client.get("/").status_code == 303
        client.cookies.update(old)  # the cookie itself is worth nothing any more
        assert problem(client.get("/api/v1/session")) == (401, "not_authenticated")


def test_cookies_say_what_browsers_should_do(server: ServerThread, tmp_path: Path) -> None:
    with server.client() as client:
        cookie = client.post("/api/v1/session", json={"password": PASSWORD}).headers["set-cookie"]
    assert cookie.startswith("nixfleet=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=86400"} <= set(cookie.split("; "))
    with (
        serving(tmp_path / "tls", env={"NIXFLEET_BASE_URL": "https://fleet.example"}) as behind_tls,
        behind_tls.client() as client,
    ):
        answer = client.post(
            "/api/v1/session", json={"password": PASSWORD}, headers={"Origin": "https://fleet.example"}
        )
    assert answer.headers["set-cookie"].startswith("__Host-nixfleet=")
    assert "Secure" in answer.headers["set-cookie"].split("; ")
    assert "max-age" in answer.headers["strict-transport-security"]


def test_a_session_ends_after_24_hours(server: ServerThread, page: httpx.Client) -> None:
    hub = server.hub
    real = hub.now
    hub.now = lambda: real() + 24 * 3600 * 1000 + 1
    assert problem(page.get("/api/v1/hosts")) == (401, "not_authenticated")


def test_a_forged_cookie_is_nobody(server: ServerThread) -> None:
    with server.client() as client:
        for value in ("x", "x.y", "ä".encode().hex(), "." * 5000):
            assert client.get("/api/v1/hosts", headers={"Cookie": f"nixfleet={value}"}).status_code == 401


def test_a_change_needs_origin_and_csrf_token(
    server: ServerThread, page: httpx.Client, agent: FakeAgent
) -> None:
    path, body = "/api/v1/hosts/web1/runs", {"command": "pull"}
    for header, value in (
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("X-CSRF-Token", "0" * 64),
        ("X-CSRF-Token", ""),
    ):
        assert problem(page.post(path, json=body, headers={header: value})) == (403, "csrf")
    del page.headers["Origin"]
    assert problem(page.post(path, json=body)) == (403, "csrf")
    assert page.get("/api/v1/runs").json()["runs"] == []
    page.headers["Origin"] = server.url
    assert page.post(path, json=body).status_code == 201


def test_a_foreign_page_cannot_log_in(server: ServerThread) -> None:
    with server.client() as client:
        answer = client.post(
            "/api/v1/session", json={"password": PASSWORD}, headers={"Origin": "https://evil.example"}
        )
        assert problem(answer) == (403, "csrf")


@pytest.mark.parametrize("origin", ["http://[", "http://a:b", "http://:99999999", "//", "http://x@y", "\xff"])
def test_an_origin_that_is_none_is_refused_without_a_fault(
    server: ServerThread, page: httpx.Client, origin: str
) -> None:
    answer = page.post("/api/v1/hosts/web1/runs", json={}, headers={"Origin": origin.encode("latin-1")})
    assert problem(answer) == (403, "csrf")
    headers = {"Origin": origin.encode("latin-1")}
    with server.client() as client:
        answer = client.post("/api/v1/session", json={"password": PASSWORD}, headers=headers)
    assert problem(answer) == (403, "csrf")


def test_with_a_public_url_only_that_origin_is_ours(tmp_path: Path) -> None:
    env = {"NIXFLEET_BASE_URL": "https://fleet.example"}
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        for origin in (server.url, "http://fleet.example", "https://fleet.example:8443"):
            headers = {"Origin": origin, "Host": origin.partition("//")[2]}
            answer = client.post("/api/v1/session", json={"password": PASSWORD}, headers=headers)
            assert problem(answer) == (403, "csrf")
        for origin in ("https://fleet.example", "https://fleet.example:443"):
            headers = {"Origin": origin}
            answer = client.post("/api/v1/session", json={"password": PASSWORD}, headers=headers)
            assert answer.status_code == 200


def test_without_a_public_url_the_scheme_must_be_the_requests(server: ServerThread) -> None:
    with server.client() as client:
        headers = {"Origin": server.url.replace("http:", "https:")}
        answer = client.post("/api/v1/session", json={"password": PASSWORD}, headers=headers)
        assert problem(answer) == (403, "csrf")


def test_another_password_ends_every_session(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, server.client() as client:
        login(client)
        cookies = dict(client.cookies)
    other = bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()
    for hashed, status in ((HASH, 200), (other, 401)):
        env = {"NIXFLEET_PASSWORD_HASH": hashed}
        with serving(tmp_path / "data", env=env) as server, server.client() as client:
            client.cookies.update(cookies)
            assert client.get("/api/v1/hosts").status_code == status


def test_scopes(server: ServerThread, agent: FakeAgent) -> None:
    with server.client(server.token("reader", "read")) as reader:
        assert reader.get("/api/v1/hosts").status_code == 200
        answer = reader.post("/api/v1/hosts/web1/runs", json={"command": "pull"})
        assert problem(answer) == (403, "scope")
        assert problem(reader.post(f"/api/v1/runs/{new_run_id()}/stop")) == (403, "scope")


def test_logins_are_limited_and_waiting_helps(server: ServerThread) -> None:
    with server.client() as client:
        for _ in range(5):
            answer = client.post("/api/v1/session", json={"password": "wrong"})
            assert problem(answer) == (401, "login_failed")
        answer = client.post("/api/v1/session", json={"password": PASSWORD})
        assert problem(answer) == (429, "too_many_logins")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        # nobody can claim another address
        forged = client.post(
            "/api/v1/session", json={"password": PASSWORD}, headers={"X-Forwarded-For": "192.0.2.1"}
        )
        assert forged.status_code == 429
        hub = server.hub
        real = hub.monotonic
        hub.monotonic = lambda: real() + 61
        login(client)


def test_a_trusted_proxy_is_believed(tmp_path: Path) -> None:
    env = {"NIXFLEET_TRUSTED_PROXIES": "127.0.0.1"}
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        for number in range(7):
            headers = {"X-Forwarded-For": f"192.0.2.{number}", "X-Forwarded-Proto": "https"}
            answer = client.post("/api/v1/session", json={"password": "wrong"}, headers=headers)
            assert answer.status_code == 401
        assert "strict-transport-security" in answer.headers


BAD_BODIES = {
    "not JSON": (b"{", 400, "not_json"),
    "nothing": (b"", 400, "not_json"),
    "a list": (b"[]", 422, "invalid"),
    "no command": (b"{}", 422, "invalid"),
    "a wrong type": (b'{"command": 1}', 422, "invalid"),
    "an unknown command": (b'{"command": "explode"}', 422, "unknown_command"),
    "an option that is not its own": (b'{"command": "switch", "options": {"ref": "main"}}', 422, "invalid"),
    "a ref that is a git option": (
        b'{"command": "pull", "options": {"ref": "--upload-pack=x"}}',
        422,
        "invalid",
    ),
    "no time": (b'{"command": "switch", "options": {"timeout": 0}}', 422, "invalid"),
    "no time to wait": (
        b'{"command": "switch", "options": {"queue": true, "expires": 0}}',
        422,
        "invalid",
    ),
    "update, which it can't": (b'{"command": "update"}', 409, "unsupported_command"),
    "too much": (b'{"command": "pull", "x": "' + b"x" * 70_000 + b'"}', 413, "too_large"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_requests_name_what_is_wrong(api: httpx.Client, agent: FakeAgent, name: str) -> None:
    body, status, code = BAD_BODIES[name]
    answer = api.post("/api/v1/hosts/web1/runs", content=body)
    assert problem(answer) == (status, code)
    assert answer.json()["detail"]
    if code == "invalid" and name != "a list":
        assert any(word in answer.json()["detail"] for word in ("command", "options."))
    assert api.get("/api/v1/runs").json()["runs"] == []


def test_a_run_on_a_host_that_is_not_there(server: ServerThread, api: httpx.Client, web1: str) -> None:
    body = {"command": "pull"}
    assert problem(api.post("/api/v1/hosts/nobody/runs", json=body)) == (404, "no_such_host")
    assert problem(api.get("/api/v1/hosts/nobody")) == (404, "no_such_host")
    answer = api.post("/api/v1/hosts/web1/runs", json=body)
    assert problem(answer) == (409, "host_offline")
    assert "web1" in answer.json()["detail"]


def test_one_command_at_a_time(api: httpx.Client, agent: FakeAgent) -> None:
    run_id = start(api, "switch")["run_id"]
    answer = api.post("/api/v1/hosts/web1/runs", json={"command": "pull"})
    assert problem(answer) == (409, "host_busy")
    assert "switch" in answer.json()["detail"]
    assert run_id in answer.json()["detail"]
    host = api.get("/api/v1/hosts/web1").json()
    assert (host["pending_command"], host["run_id"], host["last_run"]["run_id"]) == ("switch", run_id, run_id)
    assert start(api, "restart")["command"] == "restart"
    run = agent.take("switch")
    agent.end(run, 0)
    agent.expect(Ack, lambda ack: ack.ended)
    host = api.get("/api/v1/hosts/web1").json()
    assert (host["pending_command"], host["run_id"]) == (None, None)
    start(api, "pull")


def test_stopping_what_has_ended_or_never_was(api: httpx.Client, agent: FakeAgent) -> None:
    run_id = start(api)["run_id"]
    agent.end(agent.take(), 0)
    agent.expect(Ack, lambda ack: ack.ended)
    assert problem(api.post(f"/api/v1/runs/{run_id}/stop")) == (409, "not_running")
    assert problem(api.post(f"/api/v1/runs/{new_run_id()}/stop")) == (404, "no_such_run")


def test_runs_are_listed_newest_first_in_pages(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    server.host("idle")
    ids = []
    for _ in range(5):
        ids.append(start(api, "pull")["run_id"])
        agent.end(agent.take(), 0)
        agent.expect(Ack, lambda ack: ack.ended)
    first = read_json(RunList, api.get("/api/v1/runs?limit=2").content)
    assert [run.run_id for run in first.runs] == ids[:2:-1]
    rest = read_json(RunList, api.get(f"/api/v1/runs?host=web1&limit=3&before={first.next}").content)
    assert [run.run_id for run in rest.runs] == ids[2::-1]
    assert rest.next is None
    assert api.get("/api/v1/runs?host=idle").json()["runs"] == []
    assert problem(api.get("/api/v1/runs?host=nobody")) == (404, "no_such_host")
    assert problem(api.get(f"/api/v1/runs?before={new_run_id()}")) == (404, "no_such_run")
    for query in ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=¹"):
        assert problem(api.get(f"/api/v1/runs?{query}")) == (422, "invalid")
    assert problem(api.get(f"/api/v1/runs/{new_run_id()}")) == (404, "no_such_run")


def test_a_log_comes_in_pages_and_as_the_programs_own_bytes(api: httpx.Client, agent: FakeAgent) -> None:
    start(api)
    run = agent.take()
    agent.send(
        output(run, 1, "plain"),
        output(run, 2, "bad \U0010ffff byte", stream="stderr"),
        output(run, 3, "half", partial=True),
        output(run, 4, " a line\r"),
        output(run, 5, "no newline", partial=True),
    )
    path = f"/api/v1/runs/{run.run_id}/log"
    until(lambda: len(api.get(path).json()["records"]) == 5, "written")
    first = read_json(LogPage, api.get(f"{path}?limit=2").content)
    assert ([r.line for r in first.records], first.next_seq) == (["plain", "bad \U0010ffff byte"], 3)
    rest = read_json(LogPage, api.get(f"{path}?from=3").content)
    assert ([r.partial for r in rest.records], rest.next_seq, rest.complete) == (
        [True, False, True],
        6,
        False,
    )
    assert api.get(f"{path}?from=99").json()["records"] == []
    agent.end(run, 5)
    agent.expect(Ack, lambda ack: ack.ended)
    assert api.get(path).json()["complete"] is True
    raw = api.get(f"{path}?format=raw")
    assert raw.content == b"plain\nbad \xff byte\nhalf a line\r\nno newline"
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["content-disposition"].startswith("attachment")
    for query in ("from=x", "limit=10001", "format=html"):
        assert problem(api.get(f"{path}?{query}")) == (422, "invalid")
    assert problem(api.get(f"/api/v1/runs/{new_run_id()}/log")) == (404, "no_such_run")
    assert api.get("/api/v1/runs/..%2f..%2fsession-secret/log").status_code == 404


def test_hosts_come_by_criticality_then_name(server: ServerThread, api: httpx.Client) -> None:
    for name, criticality in (("b", "low"), ("a", "low"), ("z", "high"), ("m", "medium")):
        server.host(name, criticality)
    hosts = read_json(HostList, api.get("/api/v1/hosts").content).hosts
    assert [host.host_id for host in hosts] == ["z", "m", "a", "b"]


def test_what_a_hostile_host_says_comes_back_as_data(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    evil = '<img src=x onerror=alert(1)>\u202e"\\'
    with FakeAgent(server, web1) as agent:
        agent.register(facts=Facts(os=evil, generation=evil), agent_version=evil)
        answer = api.get("/api/v1/hosts/web1")
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json()["facts"]["os"], answer.json()["agent_version"]) == (evil, evil)


def test_security_headers_are_on_every_answer(server: ServerThread) -> None:
    with server.client() as client:
        for path in ("/login", "/livez", "/api/v1/hosts", "/nowhere", "/static/nothing"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "camera=()" in headers["permissions-policy"]
            assert "strict-transport-security" not in headers  # over plain HTTP it means nothing
            assert "server" not in headers


def test_static_files_are_served_and_nothing_around_them(server: ServerThread, tmp_path: Path) -> None:
    web = tmp_path / "web"
    web.mkdir()
    (web / "app.js").write_text("export {}")
    (web / "index.html").write_text("index")
    (web / "login.html").write_text("login")
    (tmp_path / "secret").write_text("secret")
    (web / "link").symlink_to(tmp_path / "secret")
    with serving(tmp_path / "data", env={"NIXFLEET_WEB_DIR": str(web)}) as other, other.client() as client:
        answer = client.get("/static/app.js")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        again = client.get("/static/app.js", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        raw = httpx.URL(other.url)
        for path in (
            "/static/../secret",
            "/static/%2e%2e/secret",
            "/static..",
            "/static../secret",
            "/static/..%2fsecret",
            "/static/link",
            "/static//etc/passwd",
            "/static/%00",
        ):
            answer = client.get(raw.copy_with(raw_path=path.encode()))
            assert answer.status_code == 404, path


def test_what_does_not_exist_and_what_is_not_allowed(api: httpx.Client) -> None:
    assert problem(api.get("/api/v1/nothing")) == (404, "not_found")
    assert problem(api.put("/api/v1/hosts")) == (405, "method_not_allowed")
    assert problem(api.get("/api/v1/session")) == (401, "not_authenticated")


def test_health(server: ServerThread) -> None:
    with server.client() as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").json() == {"status": "ok", "reasons": []}
        hub = server.hub
        hub.logs.bad = "no space left on device"
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "unready", "reasons": ["logs"]}
        assert "no space" not in answer.text  # strangers may ask; the server's log has it
        assert client.get("/livez").status_code == 200
