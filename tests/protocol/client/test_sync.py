"""The client of scripts, against a real socket: what the README promises, and every way a connection can break."""

import threading
import time

import pytest

from nixfleet_protocol.client import Client, NotAllowed, NotConnected, Refused
from tests.protocol.standin import AT, Script, StandIn

RUN = "ab" * 16


def test_the_three_lines_of_the_readme(server: StandIn) -> None:
    with Client() as fleet:
        assert fleet.run("web1", "pull-switch").wait().result == "ok"


def test_hosts_and_one_host(server: StandIn) -> None:
    with Client() as fleet:
        assert [host.host_id for host in fleet.hosts()] == ["web1"]
        assert fleet.host("web1").presence == "online"
        with pytest.raises(Refused, match="no host") as caught:
            fleet.host("web2")
        with pytest.raises(Refused, match="can't be the name") as caught:
            fleet.host("../runs")
    assert (caught.value.status, caught.value.code) == (404, "no_such_host")


def test_options_reach_the_server(server: StandIn) -> None:
    with Client() as fleet:
        fleet.run("web1", "pull", ref="main", timeout=90.0, reason="grün")
        with pytest.raises(TypeError, match="colour"):
            fleet.run("web1", "pull", colour="red")
    wanted = dict(server.requests)["run"]
    assert (wanted.command, wanted.options.ref, wanted.options.timeout, wanted.options.reason) == (
        "pull",
        "main",
        90.0,
        "grün",
    )


def test_output_comes_live_and_the_outcome_after_it(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one", "two"], result="failed", exit_code=7, hold=True)
    with Client() as fleet:
        run = fleet.run("web1", "switch")
        seen = []
        for record in run.follow():
            seen.append(record.line)
            if record.line == "two":
                server.end(run.id)
        assert seen == ["one", "two"]
        assert (run.view.result, run.view.exit_code) == ("failed", 7)
        assert run.wait() is run.view


@pytest.mark.parametrize("breaks", [[0, 0, 3], [1] * 10, [50, 149]])
def test_nothing_is_lost_or_doubled_when_the_connection_breaks(server: StandIn, breaks: list[int]) -> None:
    server.scripts["switch"] = Script([f"line {n}" for n in range(1, 201)])
    server.add("switch", RUN)
    server.break_after = list(breaks)
    told: list[Exception] = []
    with Client(on_trouble=told.append) as fleet:
        assert [record.seq for record in fleet.get_run(RUN).follow()] == list(range(1, 201))
    assert server.connections == len(breaks) + 1
    assert len(told) == len(breaks)


def test_a_follower_outlives_a_restart_of_the_server(server: StandIn) -> None:
    server.scripts["switch"] = Script([f"line {n}" for n in range(1, 31)], hold=True)
    server.add("switch", RUN)

    def restart() -> None:
        server.stop()
        time.sleep(0.3)
        server.start()
        server.end(RUN)

    with Client() as fleet:
        seen = []
        restarting = threading.Thread(target=restart)
        for record in fleet.get_run(RUN).follow():
            seen.append(record.seq)
            if record.seq == 10:
                restarting.start()
        restarting.join()
    assert seen == list(range(1, 31))


def test_following_from_the_middle_and_from_beyond_the_end(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one", "two", "three"])
    server.add("switch", RUN)
    with Client() as fleet:
        run = fleet.get_run(RUN)
        assert [record.line for record in run.follow(from_seq=2)] == ["two", "three"]
        assert list(run.follow(from_seq=99)) == []


def test_a_gap_is_never_passed_over(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one", "two", "three"])
    server.add("switch", RUN)
    server.skip = {2}
    with Client() as fleet:
        following = fleet.get_run(RUN).follow()
        assert next(following).seq == 1
        with pytest.raises(NotConnected, match="breaks the protocol"):
            next(following)


def test_wait_can_be_bounded_and_the_run_goes_on(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one"], hold=True)
    with Client() as fleet:
        run = fleet.run("web1", "switch")
        with pytest.raises(TimeoutError, match="has not ended"):
            run.wait(0.2)
        assert fleet.get_run(run.id).view.state == "running"
        server.end(run.id)
        assert run.wait(20).result == "ok"


def test_waiting_sends_no_output_over_the_wire(server: StandIn) -> None:
    server.scripts["switch"] = Script(["x"] * 50, hold=True)
    with Client() as fleet:
        run = fleet.run("web1", "switch")
        threading.Timer(0.2, server.end, [run.id]).start()
        server.break_after = [0]  # the first record would break the connection
        assert run.wait(20).lines == 50
    assert server.connections == 1


def test_stop(server: StandIn) -> None:
    server.scripts["switch"] = Script(hold=True)
    with Client() as fleet:
        run = fleet.run("web1", "switch")
        assert run.stop().wait(20).command == "stop"
        assert run.wait(20).result == "stopped"
        with pytest.raises(Refused) as caught:
            run.stop()
    assert caught.value.code == "not_running"


def test_runs_are_listed_over_pages(server: StandIn) -> None:
    server.page_size = 3
    for number in range(10):
        server.add("pull", f"{number:032x}", host_id="web1" if number % 2 else "db1")
    with Client() as fleet:
        assert [view.run_id[-1] for view in fleet.runs(limit=7)] == list("9876543")
        assert [view.run_id[-1] for view in fleet.runs("web1")] == list("97531")


def test_a_run_is_found_by_a_unique_beginning(server: StandIn) -> None:
    server.page_size = 2
    for beginning in ("aa00", "aa11", "bb22", "cc33"):
        server.add("pull", beginning.ljust(32, "0"))
    with Client() as fleet:
        assert fleet.get_run("bb").id == "bb22".ljust(32, "0")
        for word, code in (
            ("aa", "ambiguous_run"),
            ("dd", "no_such_run"),
            ("zz", "no_such_run"),
            ("", "no_such_run"),
        ):
            with pytest.raises(Refused) as caught:
                fleet.get_run(word)
            assert caught.value.code == code


def test_logs_in_pages_and_raw(server: StandIn) -> None:
    server.page_size = 4
    server.scripts["switch"] = Script([f"l{n}" for n in range(1, 11)] + ["caf\U0010ffe9"])
    server.add("switch", RUN)
    with Client() as fleet:
        assert [record.seq for record in fleet.log(RUN, 3)] == list(range(3, 12))
        raw = b"".join(fleet.raw_log(RUN))
        assert raw.splitlines()[0] == b"l1"
        assert raw.endswith(b"\ncaf\xe9\n")
        with pytest.raises(Refused):
            list(fleet.raw_log("f" * 32))


def test_the_log_of_a_running_run_ends_where_it_is_now(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one", "two"], hold=True)
    server.add("switch", RUN)
    with Client() as fleet:
        assert [record.line for record in fleet.log(RUN)] == ["one", "two"]


def test_errors_say_whose_fault_it_is(server: StandIn) -> None:
    with Client(token="wrong") as fleet, pytest.raises(NotAllowed, match="not known"):
        fleet.hosts()
    with Client(token="reader") as fleet:
        assert fleet.hosts()
        with pytest.raises(NotAllowed, match="may only read"):
            fleet.run("web1", "pull")
    server.hosts[0] = type(server.hosts[0])(host_id="web1", last_seen_at=AT)
    with Client() as fleet, pytest.raises(Refused, match="not connected") as caught:
        fleet.run("web1", "pull")
    assert caught.value.code == "host_offline"


def test_what_is_not_nixfleet_is_named(server: StandIn) -> None:
    for path, told in (
        ("/elsewhere", "not one of NixFleet's"),
        ("/nowhere", "HTTP 404, and not from NixFleet"),
    ):
        with Client(url=server.url + path) as fleet, pytest.raises(NotConnected, match=told):
            fleet.hosts()


def test_no_server(server: StandIn) -> None:
    server.stop()
    with Client() as fleet:
        with pytest.raises(NotConnected, match="refused"):
            fleet.hosts()
        with pytest.raises(NotConnected, match="refused"):
            list(fleet.raw_log(RUN))


def test_patience_ends(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one"], hold=True)
    with Client(patience=0.3) as fleet:
        run = fleet.run("web1", "switch")
        server.stop()
        with pytest.raises(NotConnected):
            run.wait(60)


def test_a_socket_refused_for_good_is_not_tried_again(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one"])
    server.add("switch", RUN)
    with Client() as fleet:
        run = fleet.get_run(RUN)
        for status, error in ((403, NotAllowed), (404, NotConnected)):
            server.refuse_sockets = [status]
            with pytest.raises(error):
                list(run.follow())
        server.refuse_sockets = [503, 502, 429]  # a server on its way up
        assert len(list(run.follow())) == 1


def test_following_a_run_that_is_gone(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one"], hold=True)
    with Client() as fleet:
        run = fleet.run("web1", "switch")
        del server.runs[run.id]
        with pytest.raises(Refused, match="no such run"):
            list(run.follow())
