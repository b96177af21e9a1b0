"""What a run leaves behind beyond its result: steps with their outcomes, failed units and builds, what changes."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from nixfleet_agent.files import read_json, swap_json
from nixfleet_agent.nix.progress import Failure, Snapshot
from nixfleet_protocol import limits
from nixfleet_protocol.decode import read
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import BuildFailure, NixProgress, Outcome
from nixfleet_protocol.messages import Step as StepReport

_FILE = "outcome.json"


class Step:
    """One step under way. It is `ok` unless it says otherwise or ends by an exception."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcome = "ok"
        self.message = ""


class Report:
    """Filled while the run goes on, so that a stop finds what was done."""

    def __init__(self, clock: Callable[[], float], directory: str) -> None:
        """`directory` is the run's: what is known by now is kept there, for when this process dies."""
        self._clock = clock
        self._file = os.path.join(directory, _FILE)
        self._outcome = Outcome()
        self._steps: list[StepReport] = []

    @contextlib.contextmanager
    def step(self, name: str, ended: Callable[[BaseException], str]) -> Iterator[Step]:
        """Time a step and record its outcome, whatever it is. `ended` gives the outcome that an exception means."""
        step, began = Step(name), self._clock()
        try:
            yield step
        except BaseException as error:
            step.outcome = ended(error)
            step.message = step.message or str(error)
            raise
        finally:
            seconds = min(max(0.0, self._clock() - began), limits.TIMEOUT_MAX)
            if len(self._steps) < limits.STEPS_MAX:
                self._steps.append(
                    StepReport(
                        name=name, outcome=step.outcome, message=line(step.message), seconds=round(seconds, 3)
                    )
                )
            with contextlib.suppress(OSError):
                swap_json(self._file, to_dict(self.outcome or Outcome()))

    def skip(self, name: str, why: str) -> None:
        """A step that is not needed."""
        self._steps.append(StepReport(name=name, outcome="skipped", message=line(why)))

    def systems(self, new: str, previous: str | None) -> None:
        """Store paths of the system built and the one before."""
        self._outcome = replace(self._outcome, store_path=new, previous=previous)

    def failed_units(self, names: Sequence[str]) -> None:
        """Units that failed, added to those known."""
        known = dict.fromkeys((*self._outcome.failed_units, *(name[:256] for name in names)))
        self._outcome = replace(self._outcome, failed_units=tuple(known)[: limits.FAILURES_MAX])

    def failed_builds(self, failures: Sequence[Failure]) -> None:
        """What didn't build, added to what is known."""
        found = (*self._outcome.failures, *map(_build_failure, failures))
        self._outcome = replace(self._outcome, failures=found[: limits.BUILD_FAILURES_MAX])

    def changes(self, changes: str, units: str = "") -> None:
        """What a switch changes: packages, and units as dry activation tells."""
        self._outcome = replace(
            self._outcome, changes=_cut(changes, limits.CHANGES_MAX), units=_cut(units, limits.CHANGES_MAX)
        )

    def reboot(self, need: str, reasons: Sequence[str]) -> None:
        """Whether a reboot is needed afterwards."""
        self._outcome = replace(self._outcome, reboot=need, reboot_reasons=tuple(reasons)[: limits.NAMES_MAX])

    @property
    def steps(self) -> tuple[StepReport, ...]:
        """Those that have ended or were not needed."""
        return tuple(self._steps)

    @property
    def outcome(self) -> Outcome | None:
        """As the server gets it; None when there is nothing to tell."""
        found = replace(self._outcome, steps=tuple(self._steps))
        return None if found == Outcome() else found


def load(directory: str) -> Outcome | None:
    """What a run whose runner died had left by then."""
    body = read_json(os.path.join(directory, _FILE))
    with contextlib.suppress(ValueError):
        found: Outcome | None = read(Outcome, body) if body else None
        return found
    return None


def line(text: str) -> str:
    """A sentence for one line, as long as one may be."""
    return _cut(" ".join(text.split("\n")), limits.TEXT_MAX)


def nix_progress(snapshot: Snapshot) -> NixProgress:
    """How far Nix is, as the server gets it."""
    builds, copies = snapshot.builds, snapshot.copies
    return NixProgress(
        planning=snapshot.planning,
        built=builds.done,
        to_build=builds.expected,
        building=builds.running,
        failed=builds.failed,
        copied=copies.done,
        to_copy=copies.expected,
        unpacked=snapshot.unpacked.done,
        to_unpack=snapshot.unpacked.expected,
        downloaded=snapshot.downloaded.done,
        to_download=snapshot.downloaded.expected,
        current=snapshot.current,
        build_phase=snapshot.phase,
    )


def _build_failure(failure: Failure) -> BuildFailure:
    return BuildFailure(
        name=failure.name,
        derivation=failure.derivation[: limits.PATH_MAX],
        reason=_cut(failure.reason, limits.TEXT_MAX),
        log="\n".join(failure.log)[-limits.FAILURE_OUTPUT_MAX :],
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
