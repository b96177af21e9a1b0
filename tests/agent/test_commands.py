"""`fetch`, `check`, `rollback` and `reboot`: what they tell, what they leave alone, and how they end."""

import os
import threading
import time
from pathlib import Path

import pytest

from nixfleet_agent import facts, kinds
from nixfleet_agent.config import load
from nixfleet_agent.files import read_json
from nixfleet_agent.fresh import EVERY, Fresh
from nixfleet_agent.journal import load_result
from nixfleet_agent.nix.root import Root
from nixfleet_agent.platforms import script
from nixfleet_agent.runner import guard, reboot, settle
from nixfleet_agent.runner.context import Context
from tests.agent.conftest import Repo
from tests.support.inprocess import run


@pytest.fixture
def variables(tmp_path: Path, repo: Repo) -> dict[str, str]:
    """An agent with an isolated clone of `repo`."""
    (tmp_path / "state").mkdir(mode=0o700)
    boot = tmp_path / "root/proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("first\n")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "NIXFLEET_HOSTNAME": "web1",
        "NIXFLEET_STATE_DIR": str(tmp_path / "state"),
        "NIXFLEET_REPO_URL": str(repo.path),
        "NIXFLEET_ROOT": str(tmp_path / "root"),
    }


def test_a_fetch_learns_what_is_wanted_and_leaves_the_tree(variables: dict[str, str], repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    run(variables, "pull")
    repo.commit({"a": "1"})
    newest = repo.commit({"a": "2"})
    ran = run(variables, "fetch")

    assert (ran.status, ran.message) == (
        "ok",
        f"{newest[:12]} is the newest; {first[:12]} is checked out, 2 behind",
    )
    found = facts.gather(load(variables, connects=False))
    assert (found.commit, found.wanted_commit, found.behind, found.dirty) == (first, newest, 2, False)
    assert found.wanted_at
    assert abs(found.wanted_at / 1000 - time.time()) < 3600


def test_an_error_of_the_system_is_told_and_its_place_logged(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr("nixfleet_agent.runner.commands.exclusive", refuses)

    assert run(variables, "pull").message == "pull: Invalid argument"
    assert "in refuses" in capfd.readouterr().err


def test_a_fetch_of_a_ref_that_is_not_there_fails(variables: dict[str, str]) -> None:
    ran = run(variables, "fetch", ref="nowhere")
    assert (ran.status, ran.steps) == ("failed", [("fetch", "failed")])


def test_the_helper_fetches_only_where_that_is_asked_for(
    variables: dict[str, str], repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts.main(load(variables, connects=False))
    newest = repo.commit({"a": "1"})
    facts.main(load(variables, connects=False))
    assert facts.gather(load(variables, connects=False)).wanted_commit is None

    asked = {**variables, "NIXFLEET_FETCH_INTERVAL": "3600"}
    facts.main(load(asked, connects=False))
    found = read_json(f"{variables['NIXFLEET_STATE_DIR']}/facts.json") or {}
    assert (found["wanted_commit"], found["behind"]) == (newest, 1)

    repo.commit({"a": "2"})  # not an hour later: the repository's server is not asked again
    facts.main(load(asked, connects=False))
    assert facts.gather(load(asked, connects=False)).wanted_commit == newest


def test_a_helper_gives_way_to_a_run(variables: dict[str, str]) -> None:
    asked = {**variables, "NIXFLEET_FETCH_INTERVAL": "10"}
    config = load(asked, connects=False)
    from nixfleet_agent.lock import exclusive

    with exclusive(config, lambda: None):
        assert facts.main(config) == 0  # returns, though the run holds the repository
    assert not (Path(config.state_dir) / "wanted.json").exists()


def test_a_script_host_goes_back_and_checks_where_the_repository_can(
    variables: dict[str, str], repo: Repo
) -> None:
    assert run(variables, "rollback").message.startswith("the repository has no hosts/web1/rollback")
    repo.commit(
        {
            "rollback": "#!/bin/sh\necho back to ${NIXFLEET_GENERATION:-the one before}\n",
            "check": "#!/bin/sh\necho motd changes ${NIXFLEET_GENERATION:+to $NIXFLEET_GENERATION}\n",
        }
    )
    run(variables, "pull")

    back = run(variables, "rollback", generation=3)
    assert (back.status, back.message, back.steps) == ("ok", "generation 1", [("rollback", "ok")])
    assert "back to 3" in back.log
    check = run(variables, "check")
    assert (check.status, check.outcome.changes) == ("ok", "motd changes")
    assert run(variables, "check", generation=1).outcome.changes == "motd changes to 1"
    assert kinds.commands("script", f"{variables['NIXFLEET_STATE_DIR']}/repo", "web1")[-2:] == (
        "rollback",
        "check",
    )


class Refusing(guard.NoGuard):
    """A guard that wants no new system."""

    def wait(self, context: Context) -> guard.Verdict:
        return guard.Verdict(keep=False, confirmed=False, reason="no server")


def test_a_script_host_is_taken_back_by_its_repository_s_own_program(
    variables: dict[str, str], repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "guard_of", lambda context: Refusing())
    run(variables, "pull")
    assert run(variables, "switch").status == "ok"  # it has no way back, so nothing watches
    repo.commit({"rollback": "#!/bin/sh\necho as it was\n"})
    ran = run(variables, "pull-switch")

    assert (ran.status, "rolled back: no server" in ran.message) == ("rolled_back", True)
    assert [name for name, _ in ran.steps] == ["pull", "switch", "confirm", "rollback"]
    assert "as it was" in ran.log


def test_a_switch_that_can_t_be_counted_is_watched_over_all_the_same(
    variables: dict[str, str], repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit({"rollback": "#!/bin/sh\necho as it was\n"})
    run(variables, "pull")
    (Path(variables["NIXFLEET_STATE_DIR"]) / "deployed.json").mkdir()  # as a full disk: it can't be replaced

    kept = run({**variables, "NIXFLEET_CONFIRM_TIMEOUT": "0"}, "switch")
    monkeypatch.setattr(script, "guard_of", lambda context: Refusing())
    gone = run(variables, "switch")

    assert (kept.status, kept.message) == ("degraded", "done, but not counted: Is a directory")
    assert (gone.status, "as it was" in gone.log) == ("rolled_back", True)


def test_a_check_of_a_ref_works_beside_what_is_checked_out(variables: dict[str, str], repo: Repo) -> None:
    first = repo.commit({"check": "#!/bin/sh\ncat motd\n", "motd": "old\n"})
    run(variables, "pull")
    repo.commit({"motd": "new\n"})
    ran = run(variables, "check", ref="main")

    assert ran.outcome.changes == "new"
    assert repo_head(variables) == first
    assert not (Path(variables["NIXFLEET_STATE_DIR"]) / "worktree").exists()


def repo_head(variables: dict[str, str]) -> str | None:
    return facts.gather(load(variables, connects=False)).commit


# reboot


def shutdown(variables: dict[str, str], text: str) -> None:
    program = Path(variables["NIXFLEET_ROOT"]) / "sbin/shutdown"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_a_reboot_is_confirmed_by_the_boot_after_it(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reboot, "ANNOUNCE", 0.0)
    shutdown(variables, f'echo "$@" > {variables["HOME"]}/asked')
    ran = run(variables, "reboot", before=lambda context: ended_by_shutdown(context), reason="kernel")
    assert (ran.status, Path(variables["HOME"], "asked").read_text()) == ("", "-r now\n")
    assert any("kernel" in line for line in ran.log)

    config = load(variables, connects=False)
    run_id = ran.journal.name
    assert settle.main(config, run_id, 0) == 1  # the host is going down: nothing is known yet
    assert load_result(str(ran.journal)) is None

    (Path(variables["NIXFLEET_ROOT"]) / "proc/sys/kernel/random/boot_id").write_text("second\n")
    assert settle.main(config, run_id, 0) == 0
    end = load_result(str(ran.journal))
    assert end
    assert (end.status, end.exit_code) == ("ok", 0)
    assert "has rebooted" in end.message


def ended_by_shutdown(context: Context) -> None:
    """The system ends the runner once the reboot was asked for."""

    def end() -> None:
        while not reboot.asked(context.journal.path):
            time.sleep(0.01)
        time.sleep(0.3)
        context.stop_asked = True

    threading.Thread(target=end, daemon=True).start()


def test_a_host_that_does_not_go_down_is_told(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reboot, "ANNOUNCE", 0.0)
    monkeypatch.setattr(reboot, "DOWN_LIMIT", 0.5)
    shutdown(variables, "exit 0")
    ran = run(variables, "reboot")

    assert (ran.status, ran.message) == ("timed_out", "the host did not go down within 0.5 s")


def test_a_refused_reboot_is_a_failure_with_the_reason(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reboot, "ANNOUNCE", 0.0)
    shutdown(variables, "echo somebody is logged in >&2; exit 1")
    ran = run(variables, "reboot")

    assert ran.status == "failed"
    assert "somebody is logged in" in ran.message
    assert settle.main(load(variables, connects=False), ran.journal.name, 0) == 0  # settled as any dead run


def test_a_stop_before_the_reboot_prevents_it(variables: dict[str, str]) -> None:
    shutdown(variables, f"touch {variables['HOME']}/asked")
    ran = run(variables, "reboot", before=lambda context: setattr(context, "stop_asked", True))

    assert ran.status == "stopped"
    assert not Path(variables["HOME"], "asked").exists()


def test_a_home_is_not_rebooted(variables: dict[str, str]) -> None:
    ran = run({**variables, "NIXFLEET_PLATFORM": "home-manager"}, "reboot")
    assert (ran.status, ran.message) == ("failed", "a home-manager host can't reboot")


# when facts are gathered


def test_facts_are_gathered_now_and_then_and_when_the_system_changes(
    variables: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "run").mkdir()
    (root / "run/current-system").symlink_to("/nix/store/a")
    fresh = Fresh(load({**variables, "NIXFLEET_PLATFORM": "nixos"}, connects=False), 0.0)

    assert not fresh.wanted(1.0, busy=False)
    (root / "run/current-system").unlink()
    (root / "run/current-system").symlink_to("/nix/store/b")
    assert not fresh.wanted(2.0, busy=True)  # a run of ours does that, and tells at its end
    assert fresh.wanted(3.0, busy=False)
    assert not fresh.wanted(4.0, busy=False)
    assert fresh.wanted(3.0 + EVERY, busy=False)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (("/etc/NIXOS",), "nixos"),
        (("/run/current-system/darwin-version.json",), "nix-darwin"),
        (("/home/ann/.local/state/nix/profiles/home-manager",), "home-manager"),
        (("/nix/var/nix/profiles/per-user/ann/home-manager",), "home-manager"),
        ((), "script"),
    ],
)
def test_a_host_s_kind_is_seen_by_what_is_on_it(tmp_path: Path, files: tuple[str, ...], kind: str) -> None:
    for name in files:
        place = tmp_path / name.lstrip("/")
        place.parent.mkdir(parents=True)
        place.symlink_to("/") if name.endswith("home-manager") else place.touch()
    env = {"HOME": "/home/ann", "USER": "ann"}
    assert kinds.detect(env, Root(str(tmp_path))) == kind
    assert (
        load({"NIXFLEET_HOSTNAME": "h", "NIXFLEET_ROOT": str(tmp_path), **env}, connects=False).platform
        == kind
    )
