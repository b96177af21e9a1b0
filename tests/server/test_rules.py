"""The table of routes: what it says of a route is what the route does, in the audit log and in the OpenAPI document."""

import json
import re

import httpx
import pytest

from nixfleet_server.api.openapi import document
from nixfleet_server.api.problems import PROBLEMS
from nixfleet_server.api.routes import RULES
from nixfleet_server.api.rules import SOCKETS
from tests.server.support import PASSWORD, FakeAgent, ServerThread, problem, start


def test_every_route_that_changes_something_is_audited_and_no_other_changes() -> None:
    for rule in RULES:
        assert rule.action or not rule.changes, rule.path
        assert rule.method in ("GET", "POST", "PATCH", "DELETE")
        assert set(rule.codes) <= set(PROBLEMS)


def test_every_problem_is_one_that_a_route_can_answer_with() -> None:
    assert set(PROBLEMS) == {code for rule in RULES for code in rule.codes} | set(SOCKETS)


def test_what_is_done_and_what_is_refused_is_written_down(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    run_id = start(api, "switch")["run_id"]
    assert problem(api.post("/api/v1/hosts/web1/runs", json={"command": "pull"}))[1] == "host_busy"
    with server.client(server.token("reader", "read")) as reader:
        assert problem(reader.post(f"/api/v1/runs/{run_id}/stop"))[1] == "scope"
        assert problem(reader.get("/api/v1/audit"))[1] == "scope"
    with server.client() as client:
        client.post("/api/v1/session", json={"password": "wrong"})
        client.post("/api/v1/session", json={"password": PASSWORD})
        client.post("/api/v1/hosts/web1/runs", json={"command": "pull"}, headers={"Origin": "https://evil"})
        client.cookies.clear()
        assert client.post("/api/v1/hosts/web1/runs", json={"command": "pull"}).status_code == 401
    with server.client(server.token("boss", "admin")) as boss:
        page = boss.get("/api/v1/audit").json()
        assert page["next"] is None
        first = boss.get("/api/v1/audit?limit=2").json()
        rest = boss.get(f"/api/v1/audit?before={first['next']}").json()
        assert first["entries"] + rest["entries"] == page["entries"]
    told = [(entry["who"], entry["action"], entry["subject"], entry["outcome"]) for entry in page["entries"]]
    assert told == [
        ("admin", "run.start", "web1", "csrf"),
        ("admin", "login", "", "ok"),
        ("", "login", "", "login_failed"),
        ("reader", "run.stop", run_id, "scope"),
        ("script", "run.start", "web1", "host_busy"),
        ("script", "run.start", "web1", "ok"),
    ]
    assert {entry["address"] for entry in page["entries"]} == {"127.0.0.1"}
    done = page["entries"][-1]
    assert (done["run_id"], done["detail"]) == (run_id, "switch")
    assert PASSWORD not in json.dumps(page)


def test_no_route_that_changes_something_forgets_the_audit_log(
    server: ServerThread, boss: httpx.Client
) -> None:
    for rule in RULES:
        if not rule.action:
            continue
        server.call(lambda: server.context.refusals.clear())  # type: ignore[union-attr, attr-defined]
        path = re.sub(r"{\w+}", "a" * 32, rule.path)
        boss.request(rule.method, path, content=b"{}" if rule.body else b"")
        entry = boss.get("/api/v1/audit?limit=1").json()["entries"][0]
        assert entry["action"] == rule.action
        assert entry["who"] == ("boss" if rule.scope else "")


def test_a_flood_of_refusals_does_not_fill_the_audit_log(server: ServerThread) -> None:
    with server.client(server.token("reader", "read")) as reader:
        for _ in range(30):
            reader.post(f"/api/v1/runs/{'a' * 32}/stop")
    with server.client(server.token("boss", "admin")) as boss:
        assert len(boss.get("/api/v1/audit").json()["entries"]) == 20


def test_the_openapi_document_is_that_of_the_routes(api: httpx.Client) -> None:
    served = api.get("/api/v1/openapi.json").json()
    assert served == json.loads(json.dumps(document(RULES)))
    assert served["openapi"] == "3.1.0"
    assert {(method.upper(), path) for path, item in served["paths"].items() for method in item} == {
        (rule.method, rule.path) for rule in RULES
    }
    names = [operation["operationId"] for item in served["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(served)):
        assert reference in served["components"]["schemas"]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.body], ids=lambda rule: rule.path)
def test_a_body_that_is_none_is_refused_as_documented(server: ServerThread, rule: object) -> None:
    from nixfleet_server.api.rules import Rule

    assert isinstance(rule, Rule)
    path = re.sub(r"{\w+}", "web1", rule.path)
    with server.client(server.token("boss", "admin")) as boss:
        assert problem(boss.request(rule.method, path, content=b"{")) == (400, "not_json")
        assert problem(boss.request(rule.method, path, content=b"[]"))[0] == 422
