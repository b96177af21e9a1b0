"""A server whose disk is really full: it says so, loses nothing, and goes on by itself once there is room again."""

from pathlib import Path

import httpx
import pytest

from nixfleet_protocol.errors import NixFleetError
from tests.support.lab import Lab, lab, read_log, until
from tests.support.small_disk import fill, mounted

pytestmark = pytest.mark.long
LINES = 60_000
FLOOD = f"seq -f 'line %.0f, {'x' * 80}' {LINES}; exit 3"
"""6 MB of output."""


def ready(here: Lab) -> httpx.Response:
    return httpx.get(f"{here.server.url}/readyz", timeout=30)


def test_a_full_disk_is_told_loses_nothing_and_is_got_over(tmp_path: Path) -> None:
    with mounted(tmp_path / "server", 16) as small, lab(tmp_path) as here:
        agent = here.agent("web1", {"switch": FLOOD, "test": "true"})
        here.client.run("web1", "pull").wait(60)
        pid = here.server.process.pid
        run = here.client.run("web1", "switch")
        until(lambda: here.client.get_run(run.id).view.state == "running", "the switch runs")
        filler = fill(small, leave=512 * 1024)

        until(lambda: ready(here).status_code == 503, "the server says that it is not ready")
        until(lambda: (agent.journal(run.id) / "result.json").exists(), "the host finished what it was told")
        assert here.client.get_run(run.id).view.state == "running"  # what it wrote is not here yet
        with pytest.raises(NixFleetError) as refused:
            here.client.run("web1", "pull")
        print(refused.value)
        assert here.server.process.alive()
        assert "no space left" in here.server.process.log.read_text().lower()

        filler.unlink()
        view = here.ended(run.id)
        assert (view.result, view.exit_code) == ("failed", 3), here.logs()
        log = here.server_log(run.id)
        assert log == (agent.journal(run.id) / "output").read_bytes()
        assert sum(record.stream == "stdout" for record in read_log(log)) == LINES
        until(lambda: ready(here).status_code == 200, "the server is ready again")
        assert here.client.run("web1", "pull").wait(60).result == "ok"
        assert here.server.process.pid == pid
