"""What a command left behind reaches every reader: while the server runs, and after it was restarted."""

from pathlib import Path

import httpx

from nixfleet_protocol.messages import BuildFailure, Outcome, Step
from nixfleet_protocol.messages.browser import HostUpdate, RunUpdate
from tests.server.support import FakeAgent, FakeBrowser, serving, start, until

OUTCOME = Outcome(
    steps=(
        Step(name="build", outcome="ok", seconds=2.5),
        Step(name="activate", outcome="degraded", message="1 unit failed"),
    ),
    failed_units=("nginx.service",),
    failures=(BuildFailure(name="hello-2.12", reason="builder failed", log="cc: not found"),),
    changes="hello: 2.11 → 2.12",
    store_path="/nix/store/abc-nixos",
    reboot="advised",
)


def end_with_outcome(api: httpx.Client, agent: FakeAgent) -> str:
    run_id = str(start(api)["run_id"])
    run = agent.take()
    agent.begin(run)
    agent.end(run, 0, "degraded", outcome=OUTCOME)
    until(lambda: api.get(f"/api/v1/runs/{run_id}").json()["state"] == "ended", "the run ends")
    return run_id


def test_the_outcome_is_shown_at_once_and_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        token, script = server.host(), server.token()
        with (
            FakeAgent(server, token) as agent,
            server.client(script) as api,
            FakeBrowser(server, token=script) as browser,
        ):
            agent.register()
            run_id = end_with_outcome(api, agent)
            host = browser.expect(HostUpdate, lambda host: host.last_run and host.last_run.state == "ended")
            assert host.last_run
            assert host.last_run.outcome
            assert host.last_run.outcome.failed_units == ("nginx.service",)
            assert host.last_run.outcome.changes == "", "long texts come with the run, not with the host"
            update = browser.expect(RunUpdate, lambda run: run.run_id == run_id and run.state == "ended")
            assert update.outcome == OUTCOME
            before = api.get(f"/api/v1/runs/{run_id}").json()
    with serving(tmp_path / "data") as server, server.client(script) as api:
        after = api.get(f"/api/v1/runs/{run_id}").json()
    assert after == before
    assert after["outcome"]["steps"][1]["outcome"] == "degraded"
    assert after["outcome"]["failures"][0]["log"] == "cc: not found"
