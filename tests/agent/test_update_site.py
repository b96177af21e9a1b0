"""What `update` does to the files that pip installed: one whole version is there at any moment."""

import os
import subprocess
import sys
import threading
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from nixfleet_agent.update import site
from nixfleet_agent.update.site import Site, beside, exchange, programs


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
def here(tmp_path: Path) -> Path:
    """`lib/site` with version 1 and `bin`; `trial` with version 2, as `pip install --prefix` makes it."""
    for place, version in ((tmp_path, "1"), (tmp_path / "trial", "2")):
        installed(place / "lib/site", version, **{f"nixfleet_agent/of_{version}.py": ""})
        (place / "bin").mkdir()
        (place / "bin/nixfleet-agent").write_text(f"#!program {version}\n")
    (tmp_path / "lib/site").chmod(0o2775)
    installed(tmp_path / "trial/lib64/site", "2", **{"psutil-7.dist-info/METADATA": "", "psutil.py": "new"})
    (tmp_path / "trial").chmod(0o700)
    return tmp_path


def tree(place: Path) -> dict[str, str]:
    return {str(file.relative_to(place)): file.read_text() for file in place.rglob("*") if file.is_file()}


def put(here: Path, place: str) -> Site:
    files = Site(str(here / "lib/site"), str(here / "bin"), place)
    files.put(str(here / "trial"), {"nixfleet-agent", "psutil"})
    return files


def test_the_new_version_takes_the_old_ones_place_and_can_be_taken_back(here: Path) -> None:
    before = tree(here / "lib"), tree(here / "bin")
    with beside(str(here / "lib/site")) as place:
        files = put(here, place)
        now = tree(here / "lib/site")
        assert now["nixfleet_agent/__init__.py"] == "version = '2'\n"
        assert {"nixfleet_agent/of_2.py", "pip/__init__.py"} < now.keys()
        assert now["psutil.py"] == "new", "from lib64 too, which some systems have beside lib"
        assert [name for name in now if "of_1" in name or "agent-1" in name] == [], (
            "nothing of the old one is left"
        )
        assert tree(here / "bin") == {"nixfleet-agent": "#!program 2\n"}
        assert (here / "lib/site").stat().st_mode & 0o7777 == 0o2775, "others may still read it"
        files.restore()
        assert tree(here / "lib/site") == {
            name.removeprefix("site/"): text for name, text in before[0].items()
        }
    assert (tree(here / "lib"), tree(here / "bin")) == before


@pytest.mark.parametrize("at", ["_remove", "_move", "_sync", "exchange", "rename", "replace"])
def test_what_fails_or_is_killed_on_the_way_leaves_the_old_version_whole(
    here: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(here / "lib/site"), tree(here / "bin")

    def fail(*words: object, **more: object) -> None:
        monkeypatch.undo()
        raise OSError(28, "No space left on device")

    def second(old: str, new: str) -> None:
        (fail if str(new) == str(here / "lib/site") else real)(old, new)

    real = os.rename
    with beside(str(here / "lib/site")) as place:
        if at == "rename":  # the second of three, where the file system can't exchange
            monkeypatch.setattr(site, "_UNABLE", range(200))
            monkeypatch.setattr(site, "_EXCHANGE", 1 << 20)
            monkeypatch.setattr(site.os, "rename", second)
        else:
            monkeypatch.setattr(site.os if at == "replace" else site, at, fail)
        with pytest.raises(OSError, match="No space left on device"):
            put(here, place)
        assert tree(here / "lib/site") == before[0]
    assert {name: text for name, text in tree(here / "bin").items() if ".new" not in name} == before[1]


def test_without_an_exchange_of_the_file_system_it_is_exchanged_all_the_same(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "_EXCHANGE", 1 << 20)  # EINVAL
    with beside(str(here / "lib/site")) as place:
        files = put(here, place)
        assert "nixfleet_agent/of_2.py" in tree(here / "lib/site")
        files.restore()
        assert "nixfleet_agent/of_1.py" in tree(here / "lib/site")


def test_what_a_killed_update_left_is_removed_by_the_next(here: Path) -> None:
    code = (
        "import os, sys; from nixfleet_agent.update import site\n"
        "with site.beside(sys.argv[1]): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(here / "lib/site")], check=False)
    assert len(list((here / "lib").iterdir())) == 2
    with beside(str(here / "lib/site")):
        pass
    assert [path.name for path in (here / "lib").iterdir()] == ["site"]


def test_programs_are_where_the_installation_says(here: Path) -> None:
    with (here / "lib/site/nixfleet_agent-1.dist-info/RECORD").open("a") as file:
        file.write("../../bin/nixfleet-agent,,\n")
    [distribution] = [
        one for one in Distribution.discover(path=[str(here / "lib/site")]) if one.version == "1"
    ]
    assert programs(distribution) == str(here / "bin")


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
