"""Faults that other fleet tools, dashboards and runners really had, each with the test that holds it off here.

ADVISORIES names the tests by their place; those that nothing else asks for are in this file.
"""

import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text
from websockets.sync.client import connect

from nixfleet_protocol import limits
from nixfleet_protocol.decode import decode
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages import SERVER_TO_AGENT
from nixfleet_server.api.routes import RULES
from nixfleet_server.api.rules import Rule
from nixfleet_server.store.tables import SQLModel
from tests.server.access_support import page_of
from tests.server.support import FakeAgent, ServerProcess, ServerThread, closed, problem, serving, start

ROOT = Path(__file__).parents[2]
ADVISORIES: dict[str, tuple[str, ...]] = {
    "1 MeshCentral GHSA-c7hr-448w-65px: script in what an agent says of its host": (
        "tests/browser/test_log.py::test_whatever_a_host_says_is_only_ever_text",
        "tests/server/test_http.py::test_what_a_hostile_host_says_comes_back_as_data",
        "tests/server/test_http.py::test_security_headers_are_on_every_answer",
    ),
    "2 Woodpecker CVE-2022-29947: script in build logs": (
        "tests/browser/test_log.py::test_whatever_a_host_says_is_only_ever_text",
    ),
    "3 gh CVE-2026-45803: escape sequences from logs": (
        "tests/protocol/cli/test_terminal.py::test_only_colours_pass_wherever_the_line_is_cut",
        "tests/protocol/cli/test_terminal.py::test_known_attacks",
    ),
    "4 Dozzle CVE-2026-44985: a foreign page opens the socket": (
        "tests/server/test_browser_socket.py::test_only_our_own_page_may_open_the_socket_with_a_cookie",
    ),
    "5 Hoverfly CVE-2025-54376: logs over a socket without a login": (
        "tests/server/test_http.py::test_every_route_but_the_public_ones_wants_to_know_who_asks",
        "tests/server/test_advisories.py::test_no_socket_without_a_token_or_session",
    ),
    "6 Mattermost CVE-2026-9162: a socket outlives the session's end": (
        "tests/server/test_sessions.py::test_sessions_are_listed_and_ended_with_their_sockets",
        "tests/server/test_tokens.py::test_a_token_is_made_shown_once_used_and_revoked_with_its_sockets",
        "tests/server/test_access.py::test_a_new_password_ends_every_other_session_and_its_sockets",
        "tests/server/test_hosts.py::test_without_overlap_and_when_revoked_the_connection_ends_at_once",
    ),
    "7 Uptime Kuma GHSA-g9v2-wqcj-j99g, OliveTin CVE-2026-30224, KubePi CVE-2023-22479: sessions that stay": (
        "tests/server/test_http.py::test_a_session_from_login_to_logout",
        "tests/server/test_sessions.py::test_a_new_login_is_a_new_session_and_ends_the_one_before",
        "tests/server/test_access.py::test_a_new_password_ends_every_other_session_and_its_sockets",
    ),
    "8 Nezha CVE-2026-53519: traversal by a prefix": (
        "tests/server/test_http.py::test_static_files_are_served_and_nothing_around_them",
    ),
    "9 Beszel CVE-2026-27734: traversal through an id": (
        "tests/server/test_advisories.py::test_an_id_is_an_id_at_the_agent_too",
        "tests/server/test_advisories.py::test_an_id_in_a_path_is_an_id",
    ),
    "10 Nezha CVE-2026-49396: a GET that does something": (
        "tests/server/test_rules.py::test_every_route_that_changes_something_is_audited_and_no_other_changes",
        "tests/server/test_advisories.py::test_a_get_leaves_the_database_as_it_was",
        "tests/server/test_advisories.py::test_a_session_needs_the_csrf_token_for_every_change",
    ),
    "11 Woodpecker CVE-2026-50141: an agent that says it is another": (
        "tests/server/test_agent_socket.py::test_the_token_decides_who_a_host_is",
        "tests/server/test_agent_socket.py::test_another_hosts_run_is_never_touched",
    ),
    "12 Gitea CVE-2026-20779: one code used twice": (
        "tests/server/test_access.py::test_one_code_lets_one_in_however_many_try_at_once",
    ),
    "13 Fleet CVE-2026-24000: a made-up client address": (
        "tests/server/test_http.py::test_logins_are_limited_and_waiting_helps",
        "tests/server/test_advisories.py::test_a_trusted_proxy_passes_no_made_up_address_on",
    ),
    "14 File Browser CVE-2026-23849: what a failed login costs": (
        "tests/server/test_access.py::test_every_failure_costs_the_same_work_and_reads_the_same",
        "tests/server/auth/test_passwords.py::test_without_a_password_the_same_work_is_done",
    ),
    "15 Miniflux CVE-2025-67713, Buildbot CVE-2019-7313: a redirect to elsewhere": (
        "tests/server/test_advisories.py::test_redirects_go_nowhere_else",
    ),
    "16 Tekton CVE-2026-40938: a revision that is an option of git": (
        "tests/server/test_http.py::test_bad_requests_name_what_is_wrong",
        "tests/server/test_advisories.py::test_a_revision_is_never_an_option",
    ),
    "17 NATS CVE-2026-27571: memory before the login": (
        "tests/server/test_advisories.py::test_a_stranger_on_a_socket_costs_no_memory",
        "tests/server/test_advisories.py::test_a_bomb_is_not_inflated",
    ),
    "18 Portainer CVE-2026-44883: a token in an address": (
        "tests/server/test_tokens.py::test_tokens_are_taken_from_the_header_only",
    ),
}

PLACES = {place for places in ADVISORIES.values() for place in places}


@pytest.mark.parametrize("place", sorted(PLACES))
def test_the_named_test_is_there(place: str) -> None:
    file, _, name = place.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_all_of_them_are_held_off() -> None:
    assert [int(name.split()[0]) for name in ADVISORIES] == list(range(1, 19))


@pytest.mark.parametrize("path", ["/ws/agent", "/ws/browser"])
def test_no_socket_without_a_token_or_session(server: ServerThread, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer nfc_x"},
        {"Cookie": "nixfleet=x.y"},
        {"Origin": server.url},
    ):
        with pytest.raises(Exception, match="401"), connect(server.ws + path, additional_headers=headers):
            pass
    script = server.token()
    host = server.host()
    wrong = {"/ws/agent": script, "/ws/browser": host}[path]  # each is no token for the other
    with (
        pytest.raises(Exception, match="401"),
        connect(server.ws + path, additional_headers={"Authorization": f"Bearer {wrong}"}),
    ):
        pass


BAD_IDS = ("../../etc/passwd", "..", "a/b", "A" * 32, "a" * 31, "a" * 33, "", "a" * 31 + "\n", "%2e%2e")


@pytest.mark.parametrize("run_id", BAD_IDS)
def test_an_id_is_an_id_at_the_agent_too(run_id: str) -> None:
    quoted = run_id.replace("\n", "\\n")
    frame = f'{{"type": "command", "payload": {{"run_id": "{quoted}", "command": "switch"}}}}'
    with pytest.raises(RemoteProtocolError):
        decode(frame, SERVER_TO_AGENT)


def test_an_id_in_a_path_is_an_id(server: ServerThread, boss: httpx.Client) -> None:
    (server.data / "logs" / "secret.log").write_text("secret")
    for name in ("secret", "..%2fsecret", "%2e%2e%2fnixfleet.db", "..", "%00"):
        for tail in ("", "/log", "/log?format=raw", "/search?q=s"):
            answer = boss.get(httpx.URL(server.url).copy_with(raw_path=f"/api/v1/runs/{name}{tail}".encode()))
            assert answer.status_code in (401, 404), (name, tail)
            assert "secret" not in answer.text


PASSING = ("audit", "metric", "presence_day")
"""Tables that time alone fills; and a backup that is taken is written down."""


def rows(server: ServerThread) -> dict[str, list[object]]:
    """Everything in the database, but when something was last used."""
    unsteady = {"last_used_at", "last_seen_at"}

    def read(db: object) -> dict[str, list[object]]:
        return {
            table.name: [
                {key: value for key, value in row._mapping.items() if key not in unsteady}
                for row in db.execute(text(f"SELECT * FROM {table.name}"))  # type: ignore[attr-defined]
                if row._mapping.get("name") != "probe"  # /readyz proves that the store takes a write
            ]
            for table in SQLModel.metadata.sorted_tables
            if table.name not in PASSING
        }

    return server.admin(read)


def path_of(rule: Rule, run_id: str) -> str:
    return rule.path.format(host_id="web1", run_id=run_id, bulk_id="b" * 32, id="c" * 32)


def test_a_get_leaves_the_database_as_it_was(
    server: ServerThread, boss: httpx.Client, agent: FakeAgent, api: httpx.Client
) -> None:
    run_id = start(api, "switch")["run_id"]
    agent.take()
    before = rows(server)
    for rule in RULES:
        if rule.method == "GET":
            answer = boss.get(path_of(rule, run_id))
            assert answer.status_code < 500, rule.path
            head = boss.head(path_of(rule, run_id))
            assert head.status_code == answer.status_code
        else:  # and what changes something does not hide behind a GET
            assert boss.get(path_of(rule, run_id), params={"_method": rule.method}).status_code != 201
    assert rows(server) == before
    assert agent.quiet() == []


def test_a_session_needs_the_csrf_token_for_every_change(server: ServerThread, agent: FakeAgent) -> None:
    with page_of(server) as page:
        token = page.headers.pop("X-CSRF-Token")
        for rule in RULES:
            if not rule.changes or rule.scope is None:
                continue
            for headers in ({}, {"X-CSRF-Token": token[::-1]}):
                answer = page.request(rule.method, path_of(rule, "a" * 32), headers=headers)
                assert problem(answer) == (403, "csrf"), rule.path
        assert page.get("/api/v1/hosts/web1").json()["connected"]


def test_a_trusted_proxy_passes_no_made_up_address_on(tmp_path: Path) -> None:
    """The proxy adds the real client behind what the client wrote: only that counts."""
    with serving(tmp_path / "data", env={"NIXFLEET_TRUSTED_PROXIES": "127.0.0.1"}) as server:
        with server.client() as client:
            statuses = [
                client.post(
                    "/api/v1/session",
                    json={"password": "wrong"},
                    headers={"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.7"},
                ).status_code
                for number in range(6)
            ]
        with server.client(server.token("boss", "admin")) as boss:
            entries = boss.get("/api/v1/audit").json()["entries"]
    assert statuses == [401] * 5 + [429]
    assert {entry["address"] for entry in entries} == {"192.0.2.7"}


def test_redirects_go_nowhere_else(server: ServerThread) -> None:
    evil = (
        "//evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "/%0d%0aSet-Cookie:%20a=b",
        "//evil%2f..",
    )
    with server.client() as stranger, page_of(server) as page:
        for client in (stranger, page):
            for path in ("/", "/login", "/setup"):
                for word in evil:
                    for query in (f"?next={word}", f"?redirect={word}", f"?url={word}"):
                        answer = client.get(path + query)
                        assert answer.headers.get("location", "/") in ("/", "/login", "/setup")
                        assert "a" not in answer.cookies
        for raw in ("//evil.example", "//evil.example/..", "/\\evil.example"):
            answer = stranger.get(httpx.URL(server.url).copy_with(raw_path=raw.encode()))
            assert not urlsplit(answer.headers.get("location", "/")).netloc


@pytest.mark.parametrize(
    "ref",
    ["--upload-pack=touch /tmp/x", "-x", "ext::sh -c id", "a b", "a\nb", "../x$(id)", "a:b", "", "x" * 256],
)
def test_a_revision_is_never_an_option(api: httpx.Client, agent: FakeAgent, ref: str) -> None:
    body = {"command": "pull", "options": {"ref": ref}}
    assert problem(api.post("/api/v1/hosts/web1/runs", json=body)) == (422, "invalid")
    assert agent.quiet(0.1) == []


def memory(server: ServerProcess) -> int:
    """Bytes resident of the server's process."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_stranger_on_a_socket_costs_no_memory(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        with server.client() as client:
            client.get("/login")
        before = memory(server)
        address = server.url.removeprefix("http://").split(":")
        for path in ("/ws/agent", "/ws/browser"):
            with socket.create_connection((address[0], int(address[1])), timeout=20) as stranger:
                head = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                head += "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
                stranger.sendall(head.encode())
                assert b" 401 " in stranger.recv(4096)
                try:
                    for _ in range(64):
                        stranger.sendall(b"\x82\xff\x00\x00\x00\x00\x10\x00\x00\x00" + bytes(2**20))
                except OSError:
                    pass  # cut off, as it should be
        assert memory(server) - before < 10 * 2**20
    finally:
        server.end()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        token = server.host()
        headers = {"Authorization": f"Bearer {token}"}
        before = memory(server)
        with connect(f"{server.ws}/ws/agent", additional_headers=headers, compression="deflate") as agent:
            assert agent.protocol.extensions == []  # whoever offers compression gets none
            agent.send("x" * (limits.FRAME_MAX + 1))
            assert closed(agent)[0] == 1009
        assert memory(server) - before < 10 * 2**20
    finally:
        server.end()
