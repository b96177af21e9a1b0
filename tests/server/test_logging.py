"""The server's own log on a terminal: what strangers write in it writes nothing else there."""

import subprocess
import sys

SCRIPT = """
import sys
from nixfleet_server import logging
logging.configure("info", "console")
log = logging.get("x")
log.info("request", path=sys.argv[1], status=404)
try:
    raise ValueError("no")
except ValueError:
    log.exception("it broke")
"""


def logged(path: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stderr


def test_nobody_writes_to_the_terminal_through_the_log() -> None:
    text = logged("/\x1b]0;mine\x07\x1b[2J\x9b2J")
    assert not set(text) & {"\x1b", "\x07", "\x9b"}
    assert r"path=/\x1b]0;mine\x07\x1b[2J\x9b2J" in text
    assert len(logged("/a\nb").splitlines()) == len(logged("/a").splitlines())


def test_what_people_read_stays_readable() -> None:
    text = logged("/größe")
    assert "path=/größe" in text
    assert "Traceback (most recent call last):\n" in text
