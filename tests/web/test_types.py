"""The page's types: what it knows of the protocol is what the protocol says, and its modules agree with it."""

import subprocess
from pathlib import Path

import pytest

from scripts import prepare, web_types

CONFIG = Path(__file__).parents[2] / "packages" / "nixfleet-web" / "jsconfig.json"


@pytest.mark.parametrize("path", web_types.files(), ids=lambda path: path.name)
def test_made_files_are_as_the_protocol_says(path: Path) -> None:
    assert path.read_text() == web_types.files()[path], "out of date: run `hatch run docs`"


def check(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", str(prepare.TSC), "-p", str(config)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=300,
    )


@pytest.mark.needs("node", "npm")
def test_the_modules_are_typed_right(tmp_path: Path) -> None:
    if not prepare.npm():
        pytest.skip("npm could not get typescript")
    done = check(CONFIG)
    assert done.returncode == 0, done.stdout
    # And it does look: a field that the protocol doesn't have is found.
    (tmp_path / "wrong.js").write_text(
        "/** @param {protocol.HostView} host */\nexport const wrong = (host) => host.nmae;\n"
    )
    (tmp_path / "jsconfig.json").write_text(
        f'{{"extends": "{CONFIG}", "include": ["wrong.js", "{CONFIG.parent}/types/*.d.ts"]}}'
    )
    assert "nmae" in check(tmp_path / "jsconfig.json").stdout
