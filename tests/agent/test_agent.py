"""The agent as a user has it: real processes, a real repository, a real WebSocket."""

from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer


def test_a_switch_runs_streams_and_ends_once(server: FakeServer, repo: Repo, agent) -> None:
    commit = repo.commit({"switch": "#!/bin/sh\necho out $NIXFLEET_HOSTNAME\necho err >&2\n"})
    one: Agent = agent()
    server.connected()
    run_id = server.command("pull-switch")

    end = server.ended(run_id)

    assert (end.status, end.exit_code, end.generation, end.commit) == ("ok", 0, "1", commit)
    assert server.raw(run_id, "stdout").endswith(b"out web1\n")
    assert server.raw(run_id, "stderr").endswith(b"err\n")
    assert server.file(run_id) == one.output(run_id)
    assert end.last_seq == len(server.log[run_id])
    assert server.gaps == []
