"""The page's own tests under node, and that its tables agree with the protocol's."""

import json
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest

import nixfleet_web
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.markers import OneOf
from nixfleet_protocol.messages import Facts, Metrics, ProgressState, RunView
from nixfleet_protocol.messages import TestReport as Report
from nixfleet_protocol.messages.api import LogRecord
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.fields import Platform, Presence, Result
from nixfleet_protocol.states import COMMANDS

pytestmark = pytest.mark.needs("node")

JS = nixfleet_web.static_dir() / "js"
TESTS = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))


def node(*argv: str, source: str | None = None) -> str:
    done = subprocess.run(
        ["node", *argv],
        input=source,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def evaluate(module: str, expression: str) -> Any:
    """The value of a JavaScript expression over the names `m` (a module of js/)."""
    source = f"import * as m from {json.dumps((JS / module).as_uri())};\nconsole.log(JSON.stringify({expression}));"
    return json.loads(node("--input-type=module", source=source))


def words(field: Any) -> set[str]:
    """The words a field of the protocol may hold."""
    (marker,) = [part for part in get_args(field) if isinstance(part, OneOf)]
    return set(marker.words)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_node(path: Path) -> None:
    node("--test", str(path))


def test_fields_left_out_on_the_wire_come_back_with_the_protocols_defaults() -> None:
    run = RunView(run_id="a" * 32, host_id="web1", command="test", state="sent", created_at=1)
    host = HostView(host_id="web1")
    record = LogRecord(seq=1, at=1, stream="note", line="")
    for function, value in (("run", run), ("host", host), ("record", record)):
        short = json.dumps(to_dict(value))
        full = to_dict(value, full=True)
        filled = evaluate("core/defaults.js", f"m.{function}({short})")
        assert filled == full


def test_fields_of_nested_parts_come_back_too() -> None:
    run = RunView(
        run_id="a" * 32,
        host_id="web1",
        command="test",
        state="sent",
        created_at=1,
        progress=ProgressState(phase="test"),
        tests=Report(total=0, passed=0, failed=0),
    )
    host = HostView(host_id="web1", facts=Facts(), metrics=Metrics(), last_run=run)
    filled = evaluate("core/defaults.js", f"m.host({json.dumps(to_dict(host))})")
    full = to_dict(host, full=True)
    assert filled["facts"] == full["facts"]
    assert filled["metrics"] == full["metrics"]
    assert filled["last_run"]["progress"] == full["last_run"]["progress"]
    assert filled["last_run"]["tests"] == full["last_run"]["tests"]


def test_every_word_of_the_protocol_has_a_label_and_a_shape_of_its_own() -> None:
    presences = evaluate("core/words.js", "m.PRESENCE")
    assert set(presences) == words(Presence)
    assert len({word["shape"] for word in presences.values()}) == len(presences), "told apart without colour"
    results = json.dumps(sorted(words(Result)))
    shown = evaluate(
        "core/words.js", f'{results}.map((result) => [result, m.runWord({{state: "ended", result}})])'
    )
    for result, word in shown:
        assert word["shape"]
        assert (word["tone"] == "ok") == (result == "ok"), "only `ok` looks like success"
    platforms = json.dumps(sorted(words(Platform)))
    assert all(evaluate("core/words.js", f"{platforms}.map((platform) => m.platformName({{platform}}))"))


def test_buttons_follow_the_table_of_commands() -> None:
    actions = evaluate("core/actions.js", "m.ACTIONS.map((a) => [a.command, a.always ?? false, 'harm' in a])")
    assert {command for command, _, _ in actions} == set(COMMANDS)
    for command, always, asks in actions:
        assert COMMANDS[command].always == always
        harmful = {"switch", "pull-switch", "stop", "rollback", "update", "reboot"}
        assert asks == (command in harmful), "what can hurt asks first"


def test_the_manual_has_every_key() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "page.md").read_text()
    for keys, label, group in evaluate(
        "core/shortcuts.js", "m.SHORTCUTS.map((s) => [s.keys, s.label, s.group])"
    ):
        assert f"| `{keys}` | {label} | {group} |" in manual
