"""`test`: runs hosts/HOST/tests/T*.sh of the repository, in the order of their names.

A script passes when it exits with 0. It runs in the working tree's root. One without the executable bit is run by
bash (sh where there is no bash), so that a bit lost in a zip or on another system doesn't fail a test.
"""

import os
import shutil

from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Ended
from nixfleet_protocol import limits, text
from nixfleet_protocol.messages import ProgressState, TestFailure, TestReport

REPORT_OUTPUT_MAX = 32 * limits.KIB
"""Characters of output in one report over all failures; the log has the whole."""


class Outcome:
    """How far the tests are, kept outside so that a stop finds what was done."""

    def __init__(self, total: int = 0) -> None:
        self.total = total
        self.passed = 0
        self.failures: list[TestFailure] = []
        self.names: list[str] = []
        """Names of the failed ones, all of them."""
        self._room = REPORT_OUTPUT_MAX

    @property
    def failed(self) -> int:
        return len(self.names)

    @property
    def done(self) -> int:
        return self.passed + self.failed

    @property
    def message(self) -> str:
        """`no tests`, `5/5 pass`, or `3/5 pass, 2 fail: NAMES`."""
        if not self.total:
            return "no tests"
        words = f"{self.passed}/{self.total} pass"
        if self.failed:
            words += f", {self.failed} fail: {', '.join(self.names)}"
        return words if len(words) <= limits.TEXT_MAX else words[: limits.TEXT_MAX - 1] + "…"

    def add(self, name: str, exit_code: int, tail: bytes) -> None:
        """Count one script that ended."""
        if exit_code == 0:
            self.passed += 1
            return
        self.names.append(name)
        if len(self.failures) < limits.FAILURES_MAX:
            output = text.to_text(tail)[-min(self._room, limits.FAILURE_OUTPUT_MAX) :] if self._room else ""
            self._room -= len(output)
            self.failures.append(
                TestFailure(name=name[: limits.WORD_MAX], exit_code=exit_code, output=output)
            )

    def report(self) -> TestReport:
        """As the server gets it."""
        return TestReport(
            total=self.total, passed=self.passed, failed=self.failed, failures=tuple(self.failures)
        )

    def progress(self, label: str) -> ProgressState:
        """As the server gets it meanwhile."""
        return ProgressState(
            phase="test",
            current=self.done,
            total=self.total,
            passed=self.passed,
            failed=self.failed,
            label=label[: limits.TEXT_MAX],
        )


def find(tree: str, hostname: str) -> list[str]:
    """Paths of the host's test scripts, sorted by name."""
    folder = os.path.join(tree, "hosts", hostname, "tests")
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith("T") and name.endswith(".sh"))
    except OSError:
        return []
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if os.path.isfile(path)]


def run(context: Context, tree: str, outcome: Outcome) -> None:
    """Run them all, counting in `outcome`. Raises Ended when stopped in the middle."""
    scripts = find(tree, context.config.hostname)
    outcome.total = len(scripts)
    context.progress(outcome.progress(f"0/{len(scripts)}"))
    shell = shutil.which("bash") or "/bin/sh"
    for number, path in enumerate(scripts, 1):
        name = os.path.basename(path)
        context.note(f"test: {number}/{len(scripts)} {name}")
        ran = context.run([path] if os.access(path, os.X_OK) else [shell, path], tree)
        outcome.add(name, ran.exit_code, ran.tail)
        context.note(
            f"test: {name} {'passed' if ran.exit_code == 0 else f'failed with exit code {ran.exit_code}'}"
        )
        context.progress(outcome.progress(f"{number}/{len(scripts)} {name}"))


def ended_message(outcome: Outcome, ended: Ended) -> str:
    """What a stop in the middle says."""
    word = "stopped by user" if ended.result == "stopped" else "timed out"
    return f"{word} ({outcome.done}/{outcome.total})"
