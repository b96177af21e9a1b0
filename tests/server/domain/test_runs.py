"""Decisions at registration, and which options go with which command."""

from hypothesis import given
from hypothesis import strategies as st

from nixfleet_protocol.messages import KnownRun, Options, RunView
from nixfleet_protocol.states import COMMANDS
from nixfleet_server.domain.runs import RESEND_LIMIT_MS, Known, at_register, option_problem

NOW = 10 * RESEND_LIMIT_MS
IDS = [f"{number:032x}" for number in range(6)]
views = st.builds(
    RunView,
    run_id=st.sampled_from(IDS),
    host_id=st.sampled_from(["web1", "db1"]),
    command=st.just("switch"),
    state=st.sampled_from(["queued", "sent", "running", "ended"]),
    created_at=st.integers(NOW - 2 * RESEND_LIMIT_MS, NOW),
)
listed_runs = st.builds(
    KnownRun,
    run_id=st.sampled_from(IDS),
    command=st.just("switch"),
    ended=st.booleans(),
    last_seq=st.integers(0, 9),
)


@given(st.lists(views, unique_by=lambda v: v.run_id), st.lists(listed_runs, unique_by=lambda k: k.run_id))
def test_every_run_gets_exactly_one_decision_and_others_runs_none(
    rows: list[RunView], listed: list[KnownRun]
) -> None:
    table = {row.run_id: Known(row.host_id, row.state) for row in rows}
    own = [row for row in rows if row.host_id == "web1" and row.state != "ended"]
    decisions = {d.run_id: d for d in at_register("web1", listed, table, own, NOW)}
    names = {run.run_id for run in listed}
    sent = {row.run_id for row in own if row.state != "queued"}
    assert set(decisions) == names | sent, "the agent owes no answer about a run that waits here"
    for run_id, decision in decisions.items():
        row = table.get(run_id)
        if row is None:
            assert decision.action == "adopt"
        elif row.host_id != "web1" or row.state == "ended":
            assert decision.action == "forget"
        elif run_id in names:
            assert decision.action == "follow"
        elif row.state == "running":
            assert (decision.action, decision.result) == ("end", "interrupted")
        else:
            age = NOW - next(view.created_at for view in own if view.run_id == run_id)
            assert decision.action == ("resend" if age < RESEND_LIMIT_MS else "end")


@given(
    st.sampled_from(["sent", "running"]), st.booleans(), st.booleans(), st.integers(0, 3 * RESEND_LIMIT_MS)
)
def test_what_is_to_be_stopped_is_not_begun_and_its_stop_is_never_late(
    state: str, first: bool, listed: bool, age: int
) -> None:
    at = NOW - age
    target = RunView(run_id=IDS[0], host_id="web1", command="switch", state=state, created_at=at)
    options = Options(target=IDS[0])
    stop = RunView(
        run_id=IDS[1], host_id="web1", command="stop", options=options, state="sent", created_at=at
    )
    known = [KnownRun(run_id=IDS[0], command="switch", ended=False, last_seq=0)] if listed else []
    table = {IDS[0]: Known("web1", state), IDS[1]: Known("web1", "sent")}
    own = [stop, target] if first else [target, stop]
    decided = {d.run_id: d.action for d in at_register("web1", known, table, own, NOW)}
    unlisted = "withhold" if state == "sent" else "end"
    assert decided == {IDS[0]: "follow" if listed else unlisted, IDS[1]: "resend"}


def test_what_was_to_be_stopped_does_not_wait_for_a_stop_that_is_lost() -> None:
    """The agent had begun the stop, and lost all it knew."""
    target = RunView(run_id=IDS[0], host_id="web1", command="switch", state="sent", created_at=NOW)
    options = Options(target=IDS[0])
    stop = RunView(
        run_id=IDS[1], host_id="web1", command="stop", options=options, state="running", created_at=NOW
    )
    decided = {d.run_id: d.action for d in at_register("web1", [], {}, [target, stop], NOW)}
    assert decided == {IDS[0]: "resend", IDS[1]: "end"}


def test_options_go_only_with_their_command() -> None:
    assert option_problem("pull", Options(ref="main", timeout=5, reason="why")) is None
    assert option_problem("stop", Options(target=IDS[0])) is None
    for command, rule in COMMANDS.items():
        for name, value in {"ref": "main", "generation": 3, "target": IDS[0]}.items():
            problem = option_problem(command, Options(**{name: value}))
            assert (problem is None) == (name in rule.options)
            assert problem is None or f"options.{name}" in problem
    both = option_problem("check", Options(ref="main", generation=3))
    assert both == "options.generation: check takes a ref or a generation, not both"
    assert option_problem("pull", Options(timeout=0)) is not None
    assert option_problem("pull", Options(queue=True, expires=60)) is None
    assert option_problem("pull", Options(queue=True, expires=0)) is not None
    assert option_problem("stop", Options(queue=True)) is not None
