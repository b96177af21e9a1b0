"""What `update` does to the files that pip installed: one whole version is there at any moment."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nixfleet_agent.update import site
from nixfleet_agent.update.site import copied, exchange


def installed(site: Path, version: str, **more: str) -> None:
    """An agent as pip leaves it in a site directory, with other distributions beside it."""
    files = {
        "nixfleet_agent/__init__.py": f"version = {version!r}\n",
        f"nixfleet_agent-{version}.dist-info/METADATA": f"Name: nixfleet-agent\nVersion: {version}\n",
        "pip/__init__.py": "",
        **more,
    }
    files[f"nixfleet_agent-{version}.dist-info/RECORD"] = "".join(
        f"{name},,\n" for name in files if "agent" in name
    )
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`lib/site` with version 1 and `bin`; `trial` with version 2, as `pip install --prefix` makes it."""
    for place, version in ((tmp_path, "1"), (tmp_path / "trial", "2")):
        installed(place / "lib/site", version, **{f"nixfleet_agent/of_{version}.py": ""})
        (place / "bin").mkdir()
        (place / "bin/nixfleet-agent").write_text(f"#!program {version}\n")
    monkeypatch.setattr(site.sysconfig, "get_path", lambda name: str(tmp_path / "bin"))
    return tmp_path


def tree(place: Path) -> dict[str, str]:
    return {str(file.relative_to(place)): file.read_text() for file in place.rglob("*") if file.is_file()}


def test_the_new_version_takes_the_old_ones_place_and_can_be_taken_back(here: Path) -> None:
    before = tree(here / "lib"), tree(here / "bin")
    with copied(str(here / "lib/site")) as files:
        files.put(str(here / "trial"), {"nixfleet-agent"})
        now = tree(here / "lib/site")
        assert now["nixfleet_agent/__init__.py"] == "version = '2'\n"
        assert {"nixfleet_agent/of_2.py", "pip/__init__.py"} < now.keys()
        assert [name for name in now if "of_1" in name or "agent-1" in name] == [], (
            "nothing of the old one is left"
        )
        assert tree(here / "bin") == {"nixfleet-agent": "#!program 2\n"}
        files.restore()
        assert tree(here / "lib/site") == {
            name.removeprefix("site/"): text for name, text in before[0].items()
        }
    assert (tree(here / "lib"), tree(here / "bin")) == before


@pytest.mark.parametrize("at", ["_remove", "_move", "exchange", "_swap_programs"])
def test_what_fails_or_is_killed_on_the_way_leaves_the_old_version_whole(
    here: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(here / "lib/site")

    def fail(*words: object, **more: object) -> None:
        assert tree(here / "lib/site") == before or at == "_swap_programs"
        monkeypatch.undo()
        raise OSError(28, "No space left on device")

    with copied(str(here / "lib/site")) as files:
        monkeypatch.setattr(site.Site if at == "_swap_programs" else site, at, fail)
        with pytest.raises((OSError, site.shutil.Error)):
            files.put(str(here / "trial"), {"nixfleet-agent"})
        assert tree(here / "lib/site") == before


def test_what_a_killed_update_left_is_removed_by_the_next(here: Path) -> None:
    code = (
        "import os, sys; from nixfleet_agent.update import site\n"
        "with site.copied(sys.argv[1]): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(here / "lib/site")], check=False)
    assert len(list((here / "lib").iterdir())) == 2
    with copied(str(here / "lib/site")):
        pass
    assert [path.name for path in (here / "lib").iterdir()] == ["site"]


def test_there_is_no_moment_without_one_of_the_two(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, other):
        (place / "inside").mkdir(parents=True)
    missing, ended = [], threading.Event()

    def look() -> None:
        while not ended.is_set():
            if not (other / "inside").is_dir():
                missing.append(True)

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(2000):
        exchange(str(one), str(other))
    ended.set()
    watcher.join()
    assert missing == []
