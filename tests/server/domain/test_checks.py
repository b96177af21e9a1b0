"""Checks before and after a command. What isn't known is never held against a host."""

from hypothesis import given
from hypothesis import strategies as st

from nixfleet_protocol.messages import Facts, Options, Outcome, Status, Step
from nixfleet_server.domain.checks import after, before, is_current, same_commit

OLD, NEW = "a" * 40, "b" * 40
CURRENT = Facts(commit=NEW, configuration_revision=NEW, dirty=False, system="normal", behind=0)


def status(result: str = "ok", **fields: object) -> Status:
    return Status(run_id="0" * 32, command="switch", status=result, at=0, **fields)  # type: ignore[arg-type]


def test_a_host_that_is_current_is_not_switched_unless_insisted() -> None:
    found = before("switch", Options(), CURRENT)
    assert found is not None
    assert (found.word, found.refused) == ("already_current", True)
    insisted = before("switch", Options(force=True), CURRENT)
    assert insisted is not None
    assert not insisted.refused
    assert before("pull-switch", Options(), CURRENT) is None, "nobody knows what the pull brings"


def test_a_checkout_that_is_behind_is_told_and_switched_to() -> None:
    found = before("switch", Options(), Facts(commit=OLD, wanted_commit=NEW, behind=3, branch="main"))
    assert found is not None
    assert (found.word, found.refused) == ("git_outdated", False)
    assert "3 commits behind main" in found.text


@given(
    st.builds(
        Facts,
        commit=st.sampled_from([None, OLD, NEW]),
        configuration_revision=st.sampled_from([None, OLD, NEW, NEW + "-dirty"]),
        dirty=st.sampled_from([None, True, False]),
        system=st.sampled_from([None, "normal", "staged", "test", "drift", "unknown"]),
        changed_outside=st.sampled_from([None, True, False]),
        behind=st.sampled_from([None, 0, 2]),
    )
)
def test_nothing_unknown_counts_as_current(facts: Facts) -> None:
    if is_current(facts):
        assert None not in (facts.commit, facts.configuration_revision, facts.dirty, facts.system)
        assert facts.commit == facts.configuration_revision
        assert facts.dirty is False
    assert before("test", Options(), facts) is None


def test_a_pull_that_moved_nothing_did_not_achieve_its_goal() -> None:
    behind = Facts(commit=OLD, wanted_commit=NEW, behind=2)
    assert after("pull", Options(), behind, status(commit=OLD)).startswith("goal not achieved")
    assert after("pull", Options(), behind, status(commit=NEW)) == "goal achieved"
    assert after("pull", Options(ref=NEW), None, status(commit=OLD)).startswith("goal not achieved")
    assert after("pull", Options(ref=NEW[:9]), None, status(commit=NEW)) == "goal achieved"
    assert after("pull", Options(ref="stable"), None, status(commit=OLD)) == ""
    assert after("pull", Options(), None, status()) == ""


def test_partly_done_names_both_parts() -> None:
    outcome = Outcome(
        steps=(
            Step(name="pull", outcome="ok"),
            Step(name="build", outcome="failed"),
            Step(name="x", outcome="skipped"),
        )
    )
    words = after("pull-switch", Options(), None, status("failed", outcome=outcome))
    assert words == "partial: pull done, build not"
    assert after("pull-switch", Options(), None, status("failed")) == ""


def test_a_rollback_to_another_generation_than_asked_for() -> None:
    assert after("rollback", Options(generation=7), None, status(generation="7")) == "goal achieved"
    assert "generation 6" in after("rollback", Options(generation=7), None, status(generation="6"))
    assert after("rollback", Options(generation=7), None, status()) == ""


def test_commits_compare_also_when_shortened_and_never_when_unknown() -> None:
    assert same_commit(NEW, NEW[:7])
    assert not same_commit(NEW, OLD)
    assert not same_commit(None, None)
    assert not same_commit("", "")
    assert not same_commit(NEW, NEW[:4])
