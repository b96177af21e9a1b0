"""Each part killed, and the network cut, at each step of a deployment: one result, the true exit code, no byte lost."""

import re
from collections.abc import Iterator

import pytest

from nixfleet_protocol.record import Record
from tests.support.crash import FAULTS, Cell, Ended, Matrix, held_git, leftovers
from tests.support.lab import lab, read_log
from tests.support.nixhost import FLAKE, NixHost
from tests.support.proxy import Proxy

pytestmark = pytest.mark.long

LINES = 300
SCRIPT_STEPS = ("build", "activate", "confirm-by-hand", "profile")
STEPS = ("pull", *SCRIPT_STEPS, "result")
"""Where a fault comes: while git fetches, in each step of the switch, and when it has ended but nobody knows yet."""
SWITCH = f"""#!/usr/bin/env python3
import os, sys, time

with open("../started", "a") as file:
    file.write("x")

def hold(step):
    open("../at-" + step, "w").close()
    while not os.path.exists("../go-" + step):
        time.sleep(0.05)

for step in {SCRIPT_STEPS}:
    for i in range({LINES}):
        os.write(1, b"%s %d caf\\xe9\\n" % (step.encode(), i))
        if i % 10 == 0:
            os.write(2, b"warning %d\\n" % i)
    os.write(1, b"an unfinished line in " + step.encode())
    hold(step)
    os.write(1, b"\\n")
os.write(1, b"no newline at the end")
sys.exit(9)
"""


def expected(until_step: str | None = None) -> bytes:
    """What the switch writes to stdout: all of it, or up to where it holds in a step."""
    out = b""
    for step in SCRIPT_STEPS:
        out += b"".join(b"%s %d caf\xe9\n" % (step.encode(), i) for i in range(LINES))
        out += b"an unfinished line in " + step.encode()
        if step == until_step:
            return out
        out += b"\n"
    return out + b"no newline at the end"


def check_log(ended: Ended) -> list[Record]:
    """The server has what the host has, numbered without a gap, of the one run that was asked for. Its records."""
    assert ended.known[0] == ended.view.run_id
    assert len(set(ended.known)) == len(ended.known)
    assert ended.log == ended.journal
    records = read_log(ended.log)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert ended.view.lines == len(records)
    return records


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    directory = tmp_path_factory.mktemp("matrix")
    path = held_git(directory / "tools")
    with lab(directory / "lab") as here:

        def make(step: str) -> Cell:
            name = f"at-{step}"
            state = here.directory / name / "state"
            proxy = Proxy(here.server.port)
            agent = here.agent(name, {"switch": SWITCH}, url=proxy.url, PATH=path, HELD=str(state))
            return Cell(agent, proxy, step, state)

        def look(cell: Cell) -> dict[str, object]:
            started = cell.agent.state / "started"
            return {"started": started.read_text() if started.exists() else ""}

        made = Matrix(
            here,
            STEPS,
            make,
            offline={"result": "pull"},
            before=lambda cell: (cell.agent.state / "started").unlink(missing_ok=True),
            look=look,
        )
        yield made
        made.close()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_one_result_with_the_true_exit_code_and_every_byte(matrix: Matrix, step: str, fault: str) -> None:
    ended = matrix.ended(step, fault)
    view = ended.view
    died = fault == "runner" and step != "result"

    assert (view.result, view.exit_code) == (("interrupted", None) if died else ("failed", 9)), view

    assert ended.more["started"] == ("" if died and step == "pull" else "x")
    records = check_log(ended)
    stdout = b"".join(record.raw() for record in records if record.stream == "stdout")
    stdout = re.sub(rb"\AHEAD is now at .*\n", b"", stdout)  # git's, of the pull
    if not died:
        assert stdout == expected()
    elif (
        step != "pull"
    ):  # what the runner had not read is there too; the switch itself may have lived a moment longer
        assert stdout.startswith(expected(step))
        assert expected().startswith(stdout)


@pytest.mark.parametrize("step", STEPS)
def test_after_a_killed_runner_nothing_of_the_run_is_left_and_the_host_takes_commands(
    matrix: Matrix, step: str
) -> None:
    ended = matrix.ended(step, "runner")

    assert matrix.here.client.run(ended.cell.agent.name, "test").wait(60).result == "ok"
    assert leftovers(ended.view.run_id) == []


NIXOS_STEPS = ("pull", "build", "activate", "confirm", "boot")
HOLD = "if ! [ -e {files}/go-{step} ]; then touch {files}/at-{step}; while ! [ -e {files}/go-{step} ]; do sleep 0.05; done; fi"


@pytest.fixture(scope="module")
def nixos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """Hosts of real Nix, each with a first generation, switching to a new version for each fault."""
    directory = tmp_path_factory.mktemp("nixos")
    path = held_git(directory / "tools")
    hosts: dict[str, NixHost] = {}
    versions = dict.fromkeys(NIXOS_STEPS, 1)
    with lab(directory / "lab") as here:

        def make(step: str) -> Cell:
            name, files = f"at-{step}", directory / f"files-{step}"
            files.mkdir()
            host = hosts[step] = NixHost(directory / f"host-{step}")
            (host.root / "run/systemd/system").mkdir(parents=True)
            activation = [
                f"  {verb}) {HOLD.format(files=files, step=at)};;" for verb, at in ACTIVATIONS.items()
            ]
            host.commit(
                {
                    "flake.nix": FLAKE.replace("web1", name),
                    "build": HOLD.format(files=files, step="build") + "\n",
                    "behaviour": "\n".join(["case $1 in", *activation, "esac", ""]),
                }
            )
            proxy = Proxy(here.server.port)
            agent = here.nix_agent(host, name, PATH=path, HELD=str(files), NIXFLEET_CONFIRM_TIMEOUT="60")
            agent.process.end()
            agent.process.environment["NIXFLEET_URL"] = proxy.url
            agent.start()
            here.online(name)
            cell = Cell(agent, proxy, step, files)
            cell.go(*NIXOS_STEPS)
            first = here.ended(here.client.run(name, "pull-switch").id)
            assert first.result == "ok", (first, here.logs())
            return cell

        def before(cell: Cell) -> None:
            versions[cell.step] += 1
            hosts[cell.step].commit({"version": f"{versions[cell.step]}.0\n"})

        def look(cell: Cell) -> dict[str, object]:
            host, version = hosts[cell.step], versions[cell.step]
            new = f"nixos-system-web1-{version}.0"
            return {
                "new": [name == new for name in (host.current, host.profile, host.boot_default)],
                "activated": host.calls.count(f"nixos test {new}"),
            }

        made = Matrix(
            here,
            NIXOS_STEPS,
            make,
            offline={"confirm": "activate"},
            before=before,
            look=look,
            # Decided when its window is over, which tests/agent/test_keeper.py doesn't wait for.
            without=(("confirm", "runner"),),
        )
        yield made
        made.close()


ACTIVATIONS = {"test": "activate", "boot": "boot"}
"""Verb of switch-to-configuration → step that it is held in."""
DIED = {
    "pull": ("interrupted", [False, False, False], 0),
    "build": ("interrupted", [False, False, False], 0),
    "activate": ("rolled_back", [False, False, False], 1),
    "boot": ("interrupted", [True, True, True], 1),
}
"""With the runner killed there: result; whether the new system runs, is the profile's, is the boot's; its activations."""


@pytest.mark.needs("nix", "git")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", NIXOS_STEPS)
def test_a_nixos_host_ends_where_its_result_says(nixos: Matrix, step: str, fault: str) -> None:
    if (step, fault) == ("confirm", "runner"):
        return
    ended = nixos.ended(step, fault)
    result, new, activated = DIED[step] if fault == "runner" else ("ok", [True, True, True], 1)

    assert ended.view.result == result, (ended.view, nixos.here.logs())
    assert ended.view.exit_code == (0 if fault != "runner" else ended.view.exit_code)
    assert (ended.more["new"], ended.more["activated"]) == (new, activated)
    check_log(ended)
    assert leftovers(ended.view.run_id) == []
