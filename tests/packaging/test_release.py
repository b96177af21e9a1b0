"""The release script: versions, the changelog, and what it refuses."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.build import PACKAGES, ROOT
from scripts.release import Refused, bumped, dated, parsed, release, shut_out

CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n\n## 0.1.0 - 2026-11-22\n\nFirst.\n"


@pytest.mark.parametrize(
    ("now", "part", "then"),
    [
        ("0.1.0", "patch", "0.1.1"),
        ("0.1.9", "minor", "0.2.0"),
        ("0.9.9", "major", "1.0.0"),
        ("1.9.0", "1.10.0", "1.10.0"),
    ],
)
def test_the_next_version(now: str, part: str, then: str) -> None:
    assert bumped(now, part) == then


@given(st.tuples(*[st.integers(0, 99)] * 3), st.sampled_from(["major", "minor", "patch"]))
def test_a_bump_always_comes_after(numbers: tuple[int, ...], part: str) -> None:
    version = ".".join(map(str, numbers))
    assert parsed(bumped(version, part)) > parsed(version)


@pytest.mark.parametrize("part", ["0.0.9", "1.2", "next", "1.2.3rc1"])
def test_what_is_no_next_version_is_refused(part: str) -> None:
    with pytest.raises(Refused):
        bumped("0.1.0", part)


def test_the_changelog_is_dated_and_must_say_something() -> None:
    assert dated(CHANGELOG, "0.2.0", "2026-12-01") == CHANGELOG.replace(
        "## Unreleased", "## 0.2.0 - 2026-12-01"
    )
    with pytest.raises(Refused, match="already"):
        dated(CHANGELOG, "0.1.0", "2026-12-01")
    empty = CHANGELOG.replace("### Added\n\n- A thing.\n\n", "")
    for nothing in (empty, CHANGELOG.replace("## Unreleased", "## Soon")):
        with pytest.raises(Refused, match="Unreleased"):
            dated(nothing, "1.0.0", "2026-12-01")


def test_a_sibling_that_would_be_shut_out_is_named() -> None:
    wanted = {"nixfleet-server": ["nixfleet-web>=0.1,<0.2", "uvicorn>=0.46,<1"]}
    assert shut_out("nixfleet-web", "0.1.9", wanted) == []
    assert shut_out("nixfleet-web", "0.2.0", wanted) == ["nixfleet-server wants nixfleet-web>=0.1,<0.2"]


def test_one_package_is_released_and_no_other_file_changes(tmp_path: Path) -> None:
    for package in PACKAGES:
        for path in ("pyproject.toml", "CHANGELOG.md", f"src/{package.replace('-', '_')}/__about__.py"):
            target = tmp_path / "packages" / package / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "packages" / package / path, target)
    changelog = tmp_path / "packages" / "nixfleet-agent" / "CHANGELOG.md"
    changelog.write_text(CHANGELOG)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    version = release(tmp_path, "nixfleet-agent", "99.0.0", "2026-12-01")

    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert (version, changed) == ("99.0.0", {"CHANGELOG.md", "__about__.py"})
    assert "## 99.0.0 - 2026-12-01" in changelog.read_text()
    with pytest.raises(Refused, match="nixfleet-server wants nixfleet-web"):
        release(tmp_path, "nixfleet-web", "99.0.0", "2026-12-01")
