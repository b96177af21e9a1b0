"""Releases one package by itself: `hatch run release PACKAGE major|minor|patch|X.Y.Z`.

Sets the version, dates the changelog, and says what is left to do. It refuses when the changelog has nothing to say, and
when a sibling's range shuts the new version out.
"""

import argparse
import datetime as dt
import re
import sys
import tomllib
from pathlib import Path

from scripts.build import PACKAGES, ROOT

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_ABOUT = re.compile(r'(__version__ = ")([^"]+)(")')
UNRELEASED = "## Unreleased"


class Refused(Exception):
    """It can't be released like that; `str()` says why."""


def bumped(version: str, part: str) -> str:
    """The next version. `part`: major, minor, patch, or a version not below this one, which may be unreleased yet.

    Raises Refused.
    """
    now = parsed(version)
    if part in ("major", "minor", "patch"):
        place = ("major", "minor", "patch").index(part)
        new = (*now[:place], now[place] + 1, *(0,) * (2 - place))
    else:
        new = parsed(part)
        if new < now:
            raise Refused(f"{part} does not come after {version}")
    return ".".join(map(str, new))


def parsed(version: str) -> tuple[int, ...]:
    """A version as numbers. Raises Refused."""
    match = _VERSION.fullmatch(version)
    if not match:
        raise Refused(f"{version!r}: expected major, minor, patch or a version as 1.2.3")
    return tuple(int(number) for number in match.groups())


def dated(changelog: str, version: str, day: str) -> str:
    """The changelog with what is unreleased under the new version. Raises Refused when that is nothing."""
    if f"## {version} " in changelog:
        raise Refused(f"{version} is released already")
    before, heading, rest = changelog.partition(f"{UNRELEASED}\n")
    text = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    if not heading or not text.strip():
        raise Refused(
            f"the changelog has nothing under {UNRELEASED!r}: write what changed for those who use it"
        )
    return f"{before}## {version} - {day}\n{rest}"


def shut_out(name: str, version: str, requirements: dict[str, list[str]]) -> list[str]:
    """Packages whose requirement of `name` doesn't allow `version`; ranges are `>=LOW,<HIGH`, as all of ours are."""
    found = []
    for package, wanted in requirements.items():
        for requirement in wanted:
            match = re.fullmatch(rf"{name}>=([0-9.]+),<([0-9.]+)", requirement)
            if match and not _numbers(match[1]) <= _numbers(version) < _numbers(match[2]):
                found.append(f"{package} wants {requirement}")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.split(".")]
    return (*numbers, *(0,) * (3 - len(numbers)))


def release(root: Path, name: str, part: str, day: str) -> str:
    """Change the files of one package; gives its new version. Raises Refused before anything is changed."""
    folder = root / "packages" / name
    about = folder / "src" / name.replace("-", "_") / "__about__.py"
    found = _ABOUT.search(about.read_text())
    if not found:
        raise Refused(f"{about} has no __version__")
    version = bumped(found[2], part)
    requirements = {
        package: tomllib.loads((root / "packages" / package / "pyproject.toml").read_text())["project"][
            "dependencies"
        ]
        for package in PACKAGES
    }
    if shut := shut_out(name, version, requirements):
        raise Refused(f"{'; '.join(shut)}: widen that with a test across the versions, and release it first")
    changelog = folder / "CHANGELOG.md"
    text = dated(changelog.read_text(), version, day)
    about.write_text(_ABOUT.sub(rf"\g<1>{version}\g<3>", about.read_text()))
    changelog.write_text(text)
    return version


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description=__doc__)
    parser.add_argument("package", choices=PACKAGES)
    parser.add_argument("version", metavar="major|minor|patch|X.Y.Z")
    today = dt.datetime.now(dt.UTC).date().isoformat()
    parser.add_argument("--date", default=today, help="for the changelog; default today")
    given = parser.parse_args(argv)
    try:
        version = release(ROOT, given.package, given.version, given.date)
    except Refused as refused:
        print(f"scripts.release: {refused}", file=sys.stderr)
        return 1
    tag = f"{given.package}-v{version}"
    print(f"{given.package} {version}. Next:")
    print("  hatch run docs && hatch run test && hatch run test-all")
    print(f"  git commit -am '{given.package} {version}' && git tag {tag}")
    print(
        "  hatch run build dist && twine check dist/* && twine upload "
        f"dist/{given.package.replace('-', '_')}-{version}*"
    )
    print(f"  keep the wheel in tests/wheels/{version}/ and add it to the tests across versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
