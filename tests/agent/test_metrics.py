"""Metrics from StaSysMo's files, both formats, and what is refused."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from nixfleet_agent import load
from nixfleet_agent.metrics import Meter
from nixfleet_protocol.messages import Metrics
from tests.agent.conftest import as_another_user

NOW = 1_795_384_800.0


def meter(tmp_path: Path, mode: str = "stasysmo") -> Meter:
    return Meter(mode, (str(tmp_path / "new"), str(tmp_path / "old")), lambda: NOW)


def new(tmp_path: Path, content: str) -> Path:
    (tmp_path / "new").mkdir(exist_ok=True)
    file = tmp_path / "new" / "snapshot"
    file.write_text(content)
    return file


def old(tmp_path: Path, **values: str) -> None:
    (tmp_path / "old").mkdir(exist_ok=True)
    for name, value in values.items():
        (tmp_path / "old" / name).write_text(value + "\n")


def test_the_new_snapshot_is_read(tmp_path: Path) -> None:
    new(tmp_path, f"v1 {NOW - 3:.0f} 12 43 0 0.42 8\n")

    assert meter(tmp_path).sample() == Metrics(cpu=12, ram=43, swap=0, load=0.42, cores=8)


def test_the_old_files_are_read_with_dot_or_comma(tmp_path: Path) -> None:
    old(tmp_path, timestamp=f"{NOW - 5:.0f}", cpu="15.5", ram="43,5", swap="0", load="0.42")

    assert meter(tmp_path).sample() == Metrics(cpu=15.5, ram=43.5, swap=0, load=0.42, cores=os.cpu_count())


@pytest.mark.parametrize(
    "line",
    [
        f"v1 {NOW - 31:.0f} 12 43 0 0.42 8",
        f"v1 {NOW + 60:.0f} 12 43 0 0.42 8",
        f"v2 {NOW:.0f} 12 43 0 0.42 8",
        f"v1 {NOW:.0f} 12 43 0 0.42",
        f"v1 {NOW:.0f} 112 43 0 0.42 8",
        f"v1 {NOW:.0f} nan 43 0 0.42 8",
        f"v1 {NOW:.0f} 12 43 0 0.42 0",
        "",
    ],
)
def test_a_snapshot_that_is_stale_or_wrong_is_no_metric(tmp_path: Path, line: str) -> None:
    new(tmp_path, line)

    assert meter(tmp_path).sample() is None


def test_frozen_old_files_are_no_metric(tmp_path: Path) -> None:
    old(tmp_path, timestamp=f"{NOW - 31:.0f}", cpu="1", ram="1")

    assert meter(tmp_path).sample() is None


def test_links_and_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    real = new(tmp_path, f"v1 {NOW:.0f} 12 43 0 0.42 8\n")
    real.rename(tmp_path / "elsewhere")
    real.symlink_to(tmp_path / "elsewhere")
    linked = meter(tmp_path).sample()
    real.unlink()
    os.mkfifo(real)

    assert linked is None
    assert meter(tmp_path).sample() is None


def test_a_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    new(tmp_path, f"v1 {NOW:.0f} 12 43 0 0.42 8\n")
    old(tmp_path, timestamp=f"{NOW - 5:.0f}", cpu="1", ram="1")
    for name in ("new", "old"):
        (tmp_path / name).rename(tmp_path / f"{name}-real")
        (tmp_path / name).symlink_to(tmp_path / f"{name}-real")

    assert meter(tmp_path).sample() is None


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new(tmp_path, f"v1 {NOW:.0f} 12 43 0 0.42 8\n")
    ours = meter(tmp_path).sample()
    as_another_user(tmp_path / "new", monkeypatch)

    assert ours is not None
    assert meter(tmp_path).sample() is None


def test_without_files_auto_measures_and_off_does_not(tmp_path: Path) -> None:
    auto = meter(tmp_path, "auto")
    auto.sample()
    time.sleep(0.1)  # some ticks of the kernel's clock
    found = auto.sample()

    assert found
    assert found.cpu is not None
    assert found.ram
    assert 0 < found.ram <= 100
    assert meter(tmp_path, "off").sample() is None
    assert meter(tmp_path, "stasysmo").sample() is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_read_from_proc_is_what_psutil_says() -> None:
    psutil.cpu_percent()
    before = load.times(Path("/proc/stat").read_text())
    time.sleep(1)
    theirs, ours = psutil.cpu_percent(), load.times(Path("/proc/stat").read_text())
    ram, swap = load.memory(Path("/proc/meminfo").read_text())

    assert load.busy_share(before, ours) == pytest.approx(theirs, abs=5)
    assert ram == pytest.approx(psutil.virtual_memory().percent, abs=2)
    assert swap == pytest.approx(psutil.swap_memory().percent, abs=1)


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [
        ("cpu  10 0 10 80 0 0 0 0 0 0", "cpu  20 0 20 160 0 0 0 0 0 0", 20.0),
        ("cpu  10 0 10 80", "cpu  10 0 10 90", 0.0),
        ("cpu  0 0 0 0 100 0 0 0", "cpu  50 0 0 0 150 0 0 0", 50.0),
        ("cpu  5 5 5 5", "cpu  5 5 5 5", None),
        ("cpu  5 5 5 5", "cpu  4 5 5 4", None),
        ("cpu  0 0 0 0 0 0 0 0 0 0", "cpu  100 0 0 0 0 0 0 0 100 0", 100.0),
    ],
    ids=[
        "a fifth",
        "idle",
        "a disk is waited for",
        "no time passed",
        "it ran backwards",
        "guests count once",
    ],
)
def test_the_share_of_busy_time(before: str, now: str, share: float | None) -> None:
    assert load.busy_share(load.times(before), load.times(now)) == share


def test_memory_of_an_old_kernel_and_of_none() -> None:
    assert load.memory("MemTotal: 100 kB\nMemFree: 10 kB\n") == (None, 0.0)
    assert load.memory("MemTotal: 100 kB\nMemAvailable: 25 kB\nSwapTotal: 10 kB\nSwapFree: 5 kB\n") == (
        75.0,
        50.0,
    )
    assert load.memory("") == (None, 0.0)
    with pytest.raises(ValueError, match="not /proc/stat"):
        load.times("nonsense")
