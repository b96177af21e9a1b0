"""docs/original-bugs.md: no number is missing, every row has its reason, every test it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LAST = 41


def rows() -> list[tuple[int, str, str, str]]:
    text = (ROOT / "docs" / "original-bugs.md").read_text()
    return [(int(number), *more) for number, *more in ROW.findall(text)]


def test_no_number_is_missing() -> None:
    assert [number for number, *_ in rows()] == list(range(1, LAST + 1))


def test_every_row_names_its_tests_or_says_that_it_cannot_occur() -> None:
    bare = [
        number for number, *_, tests in rows() if not TEST.search(tests) and tests.strip() != "can't occur"
    ]
    assert bare == []


def test_every_test_named_exists() -> None:
    named = [found for *_, tests in rows() for found in TEST.findall(tests)]
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text()
    ]
    assert missing == []
