"""A dispatch that is sent again gets the run it made, over restarts and races."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.server.support import FakeAgent, ServerThread, problem, serving

KEY = {"Idempotency-Key": "deploy-42"}
PATH = "/api/v1/hosts/web1/runs"


def test_the_same_key_gets_the_same_run(server: ServerThread, api: httpx.Client, agent: FakeAgent) -> None:
    body = {"command": "switch"}
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: api.post(PATH, json=body, headers=KEY), range(5)))
    assert {answer.status_code for answer in answers} == {201}
    [run_id] = {answer.json()["run_id"] for answer in answers}
    assert agent.take().run_id == run_id
    assert agent.quiet() == []
    assert problem(api.post(PATH, json={"command": "pull"}, headers=KEY)) == (422, "key_reused")
    assert problem(api.post(PATH, json=body)) == (409, "host_busy")
    with server.client(server.token("other")) as other:  # another's key is another key
        assert problem(other.post(PATH, json=body, headers=KEY)) == (409, "host_busy")
    for bad in ("", "x" * 256, "\x7f"):
        answer = api.post(PATH, json=body, headers={"Idempotency-Key": bad})
        assert problem(answer) == (422, "invalid")
    real = server.hub.now
    server.hub.now = lambda: real() + 24 * 3_600_000 + 1
    assert problem(api.post(PATH, json=body, headers=KEY)) == (409, "host_busy")


def test_what_was_refused_is_tried_anew(server: ServerThread, api: httpx.Client, web1: str) -> None:
    body = {"command": "switch"}
    assert problem(api.post(PATH, json=body, headers=KEY)) == (409, "host_offline")
    with FakeAgent(server, web1) as agent:
        agent.register()
        assert api.post(PATH, json=body, headers=KEY).status_code == 201


def test_a_bulk_dispatch_and_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    body = {"hosts": ["web1"], "command": "switch"}
    with serving(data) as server:
        server.host()
        token = server.token()
        with server.client(token) as api:
            first = api.post("/api/v1/runs", json=body, headers=KEY)
            assert first.status_code == 201
    with serving(data) as server, server.client(token) as api:
        again = api.post("/api/v1/runs", json=body, headers=KEY)
        assert again.status_code == 201
        assert again.json()["bulk_id"] == first.json()["bulk_id"]
        other = api.post("/api/v1/runs", json={**body, "command": "pull"}, headers=KEY)
        assert problem(other) == (422, "key_reused")
