"""The small parts: lock, log, doorbell, runs on disk, memory."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from nixfleet_agent import doorbell
from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk, read_json, swap_json
from nixfleet_agent.journal import Journal, claim
from nixfleet_agent.lock import Held, Lock, is_held
from nixfleet_agent.log import Log
from nixfleet_agent.memory import clean_mappings, drop_clean_text
from nixfleet_agent.runs import KEEP_OUTPUTS, Runs
from nixfleet_protocol.messages import Options, Status


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    code = f"import time; from nixfleet_agent.lock import Lock; Lock({path!r}); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(Held, match=str(holder.pid)):
            Lock(path)
        held = is_held(path)
        holder.kill()
        holder.wait()

    assert held
    assert not is_held(path)
    Lock(path).release()


def test_the_log_is_json_lines_off_a_terminal_and_survives_a_closed_pipe() -> None:
    read, write = os.pipe()
    log = Log(fd=write)
    log.debug("not shown")
    log.info("hello", host="web1", path=Path("/x"))
    line = json.loads(os.read(read, 4096))
    os.close(read)
    log.info("nobody listens")
    os.close(write)

    assert (line["event"], line["level"], line["host"], line["path"]) == ("hello", "info", "web1", "/x")


def test_a_line_for_people_is_one_line() -> None:
    read, write = os.pipe()
    Log(format="console", fd=write).error("broke", reason="two\nlines", other=None)
    line = os.read(read, 4096).decode()
    os.close(read)
    os.close(write)

    assert line.endswith("error   broke reason=two lines\n")


@pytest.mark.parametrize("name", ["short", "l" * 120])
def test_the_doorbell_rings_also_below_a_long_path(tmp_path: Path, name: str) -> None:
    state = tmp_path / name
    state.mkdir()
    bell = doorbell.listen(str(state))
    assert bell
    for _ in range(5000):  # more than a socket holds: the ringer never waits
        doorbell.ring_once(str(state), "abc")
    found = doorbell.drain(bell)
    bell.close()
    doorbell.ring_once(str(state), "nobody home")

    assert found == {"abc"}


def finished(state: Path, number: int) -> str:
    run_id = f"{number:032x}"
    path = claim(str(state), Request(run_id, "pull", Options()), Disk())
    journal = Journal(path, Disk())
    journal.note("x")
    journal.finish(Status(run_id=run_id, command="pull", status="ok", at=1))
    journal.close()
    return run_id


def test_old_outputs_go_first_and_claims_stay_thirty_days(tmp_path: Path) -> None:
    runs = Runs(str(tmp_path))
    names = [finished(tmp_path, number) for number in range(KEEP_OUTPUTS + 2)]
    for age, run_id in enumerate(names):
        runs.delivered(run_id)
        os.utime(tmp_path / "delivered" / run_id, (1e9 - age, 1e9 - age))
    waiting = finished(tmp_path, 999)
    runs.prune(now=1e9)
    outputs = [run_id for run_id in names if (tmp_path / "runs" / run_id / "output").exists()]
    claims = [run_id for run_id in names if (tmp_path / "runs" / run_id).exists()]
    runs.prune(now=1e9 + 31 * 86400)

    assert outputs == names[:KEEP_OUTPUTS]
    assert claims == names
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [waiting]
    assert [known.request.run_id for known in runs.undelivered()] == [waiting]


def test_only_clean_unwritable_file_pages_are_dropped(tmp_path: Path) -> None:
    smaps = tmp_path / "smaps"
    smaps.write_text(
        "1000-2000 r-xp 00000000 08:01 17 /lib/libc.so\nRss: 4 kB\nPrivate_Dirty: 0 kB\n"
        "2000-3000 r--p 00000000 08:01 17 /lib/relro.so\nPrivate_Dirty: 4 kB\n"
        "3000-4000 rw-p 00000000 08:01 17 /lib/data.so\nPrivate_Dirty: 0 kB\n"
        "4000-5000 r--p 00000000 00:00 0 \nPrivate_Dirty: 0 kB\n"
        "5000-6000 r-xp 00000000 00:00 0 [vdso]\nPrivate_Dirty: 0 kB\n"
    )

    assert clean_mappings(str(smaps)) == [(0x1000, 0x2000)]


def test_a_process_lives_on_after_dropping_its_text() -> None:
    code = "from nixfleet_agent.memory import drop_clean_text as d; import json; assert d() > 0; print(json.dumps(sorted([3, 1])))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "[1, 3]\n"
    assert callable(drop_clean_text)


def test_a_small_file_that_the_disk_refuses_leaves_the_old_one_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    swap_json(str(path), {"old": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))  # a "full disk" for this process
    try:
        with pytest.raises(OSError, match="too large"):
            swap_json(str(path), {"new": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert [file.name for file in tmp_path.iterdir()] == ["facts.json"]
    assert read_json(str(path)) == {"old": 1}
