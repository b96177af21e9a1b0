"""Backups made while the server works, and going back to one; what is served while the data can't be used."""

import contextlib
import gzip
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nixfleet_protocol.messages import Ack, KnownRun
from nixfleet_server import backup
from nixfleet_server.errors import Refused
from nixfleet_server.lock import make_data_dir
from nixfleet_server.settings import load
from tests.server.support import (
    HASH,
    FakeAgent,
    ServerProcess,
    login,
    problem,
    start,
    until,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data").start()
    yield process
    process.end()


def command(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nixfleet_server", *words, "--data-dir", str(data)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"NIXFLEET_PASSWORD_HASH": HASH},
    )


def run_some(api: httpx.Client, agent: FakeAgent, lines: int) -> str:
    run_id = str(start(api)["run_id"])
    run = agent.take()
    agent.begin(run)
    agent.output(run, 1, lines)
    agent.end(run, lines)
    agent.expect(Ack, lambda ack: ack.ended)
    return run_id


def test_a_backup_while_lines_come_restores_to_a_true_past(server: ServerProcess, tmp_path: Path) -> None:
    """What the backup holds is there again; what came later comes again from the agent that still has it."""
    token, script = server.host(), server.token(scope="admin")
    with server.client() as browser, server.client(script) as api:
        csrf = login(browser)
        with FakeAgent(server, token) as agent:
            agent.register()
            old = run_some(api, agent, 50)
            start(api)
            run = agent.take()
            agent.begin(run)
            enough = threading.Event()

            def write() -> None:
                seq = 1
                while not enough.is_set():
                    agent.output(run, seq, seq + 9)
                    agent.expect(Ack, lambda ack, last=seq + 9: ack.seq >= last)  # type: ignore[misc]
                    seq += 10

            writing = threading.Thread(target=write)
            writing.start()
            until(lambda: api.get(f"/api/v1/runs/{run.run_id}").json()["lines"] > 100, "some lines")
            made = command(server.data, "backup", str(tmp_path / "b.tar.gz"))
            assert made.returncode == 0, made.stderr
            assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600
            enough.set()
            writing.join()
            last = api.get(f"/api/v1/runs/{run.run_id}").json()["lines"]
            agent.end(run, last)
            agent.expect(Ack, lambda ack: ack.ended)
            later = run_some(api, agent, 5)
            restored = command(server.data, "restore", str(tmp_path / "b.tar.gz"))
            assert restored.returncode == 0, restored.stderr
            assert agent.closed()[0] == 1012
        # The same process, at the same address, with the older data.
        assert server.process
        assert server.process.poll() is None
        view = until(lambda: api.get(f"/api/v1/runs/{run.run_id}").json(), "it serves")
        assert view["state"] == "running"
        assert 100 < view["lines"] <= last
        assert problem(api.get(f"/api/v1/runs/{later}")) == (404, "no_such_run")
        assert api.get(f"/api/v1/runs/{old}/log?format=raw").text.count("\n") == 50
        assert browser.get("/api/v1/session").json()["csrf"] == csrf, "the login is older than the backup"
        with FakeAgent(server, token) as agent:
            known = [
                KnownRun(run_id=run.run_id, command="switch", ended=True, last_seq=last),
                KnownRun(run_id=later, command="switch", ended=True, last_seq=5),
            ]
            held = {run.run_id: run for run in agent.register(*known).runs}
            assert (held[run.run_id].have, held[run.run_id].ended) == (view["lines"], False)
            agent.output(run, held[run.run_id].have + 1, last)
            agent.end(run, last)
            agent.expect(Ack, lambda ack: ack.run_id == run.run_id and ack.ended)
        lines = api.get(f"/api/v1/runs/{run.run_id}/log?format=raw").text.splitlines()
        assert lines == [f"line {number}" for number in range(1, last + 1)]


def test_a_backup_comes_over_the_api_for_admins_only(server: ServerProcess) -> None:
    server.host()
    with server.client(server.token("some", "operate")) as api:
        assert problem(api.get("/api/v1/backup")) == (403, "scope")
    with server.client(server.token("all", "admin")) as api:
        answer = api.get("/api/v1/backup")
        assert answer.headers["content-type"] == "application/gzip"
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            assert archive.getnames()[0] == "nixfleet.db"
        entries = api.get("/api/v1/audit").json()["entries"]
        assert ("all", "backup", "ok") in [(e["who"], e["action"], e["outcome"]) for e in entries]
    assert [path.name for path in server.data.glob("backup-*")] == []


@pytest.mark.long
def test_restore_takes_nothing_that_is_no_backup(server: ServerProcess, tmp_path: Path) -> None:
    token = server.host()
    files = {name: tmp_path / name for name in ("text", "cut", "evil", "empty", "missing")}
    files["text"].write_text("hello")
    whole = tmp_path / "whole"
    assert command(server.data, "backup", str(whole)).returncode == 0
    files["cut"].write_bytes(whole.read_bytes()[:-2000])
    for name, member in (("evil", "../evil"), ("empty", "logs/x.log")):
        with tarfile.open(files[name], "w:gz") as archive:
            archive.addfile(tarfile.TarInfo(member), io.BytesIO())
    for path in files.values():
        answer = command(server.data, "restore", str(path))
        assert answer.returncode == 1, path
        assert str(path) in answer.stderr or "backup" in answer.stderr
        assert "Traceback" not in answer.stderr
    assert not (server.data / "restoring").exists()
    with FakeAgent(server, token) as agent:
        agent.register()  # the server never noticed


@pytest.mark.long
def test_restore_without_a_server_and_after_a_crash_in_the_middle(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        server.host("before")
        assert command(server.data, "backup", str(tmp_path / "b")).returncode == 0
        server.host("after")
        server.end(signal.SIGTERM)
        # As if the machine had died when the database was in its place and the logs were not.
        assert command(server.data, "restore", str(tmp_path / "b")).returncode == 0
        (server.data / "restoring" / "logs").mkdir(parents=True)
        (server.data / "restoring" / "logs" / f"{'a' * 32}.log").write_bytes(b"1 1 o from the backup\n")
        (server.data / "restoring" / "ready").touch()
        (server.data / "replaced" / "logs" / "old.log").touch()
        server.start()
        with server.client(server.token()) as api:
            assert [host["host_id"] for host in api.get("/api/v1/hosts").json()["hosts"]] == ["before"]
        assert [path.name for path in (server.data / "logs").iterdir()] == [f"{'a' * 32}.log"]
        assert not (server.data / "restoring").exists()
    finally:
        server.end()


def test_a_migration_keeps_what_was_there_before(tmp_path: Path) -> None:
    from alembic import command as alembic

    from nixfleet_server.store import schema
    from nixfleet_server.store.database import open_database
    from nixfleet_server.store.snapshot import check

    database = open_database(f"sqlite:///{tmp_path}/nixfleet.db")
    config = schema.alembic_config()
    with database.engine.execution_options(write=True).begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, "0001")
    schema.migrate(database)
    database.close()
    assert check(tmp_path / "nixfleet.db.schema-0001") == "0001"


def damage(data: Path) -> bytes:
    """Break the database; gives what it was."""
    file = data / "nixfleet.db"
    before = file.read_bytes()
    file.write_bytes(b"this is not a database" + before[22:])
    return before


@pytest.mark.long
def test_a_damaged_database_is_a_clear_state_and_not_a_crash_loop(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        token = server.host()
        script = server.token()
        assert command(server.data, "backup", str(tmp_path / "b")).returncode == 0
        assert server.end(signal.SIGTERM) == 0
        damage(server.data)
        assert server.process
        server.begin()
        with server.client(script) as api:
            until(lambda: answers(api, "/livez") == 200, "it lives")
            ready = api.get("/readyz")
            assert (ready.status_code, ready.json()["reasons"]) == (503, ["database"])
            assert problem(api.get("/api/v1/hosts")) == (503, "unavailable")
            assert problem(api.post("/api/v1/hosts/web1/runs", json={})) == (503, "unavailable")
            with pytest.raises(Exception, match="503"):
                FakeAgent(server, token)
            assert server.process.poll() is None
            answer = command(server.data, "host", "list")
            assert (answer.returncode, "Traceback" in answer.stderr) == (2, False)
            # Mended while it runs.
            assert command(server.data, "restore", str(tmp_path / "b")).returncode == 0
            until(lambda: answers(api, "/readyz") == 200, "it serves again")
            assert [host["host_id"] for host in api.get("/api/v1/hosts").json()["hosts"]] == ["web1"]
        assert (server.data / "replaced" / "nixfleet.db").exists()
        assert server.end(signal.SIGTERM) == 0
    finally:
        server.end()


def test_a_server_that_can_not_write_any_more_takes_over_a_restored_database(
    server: ServerProcess, tmp_path: Path
) -> None:
    token, script = server.host(), server.token()
    assert command(server.data, "backup", str(tmp_path / "b")).returncode == 0
    with server.client(script) as api, FakeAgent(server, token) as agent:
        agent.register()
        for table, what in (("host", "UPDATE"), ("presence_day", "INSERT")):
            full = f"BEFORE {what} ON {table} BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
            server.admin(
                lambda session, full=full, table=table: session.connection().exec_driver_sql(  # type: ignore[misc]
                    f"CREATE TRIGGER no_{table} {full}"
                )
            )
        agent.heartbeat()
        restored = command(server.data, "restore", str(tmp_path / "b"))
        assert restored.returncode == 0, restored.stderr
        until(lambda: answers(api, "/readyz") == 200, "it serves again")
    assert server.process
    assert server.process.poll() is None, "the same process"
    assert server.end(signal.SIGTERM) == 0


def answers(api: httpx.Client, path: str) -> int:
    try:
        return api.get(path).status_code
    except httpx.TransportError:
        return 0


def test_zcat_and_tar_show_what_a_backup_holds(server: ServerProcess, tmp_path: Path) -> None:
    """No backup is worth much that only one program can read."""
    token, script = server.host(), server.token()
    with FakeAgent(server, token) as agent, server.client(script) as api:
        agent.register()
        run_id = run_some(api, agent, 3)
    assert command(server.data, "backup", str(tmp_path / "b.tar.gz")).returncode == 0
    with tarfile.open(fileobj=gzip.open(tmp_path / "b.tar.gz")) as archive:
        log = archive.extractfile(f"logs/{run_id}.log")
        assert log
        assert log.read().count(b"\n") == 3


def test_a_restore_that_dies_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next start, which makes what it misses before it looks: with the backup's data, and what was there kept."""
    names = ("move", "rename", "rmtree", "touch")
    for dies_at in range(1, 30):
        data = tmp_path / str(dies_at)
        settings = load({"NIXFLEET_DATA_DIR": str(data)})
        for place, word in ((data, "old"), (data / backup.STAGE, "new"), (data / backup.REPLACED, "older")):
            (place / "logs").mkdir(parents=True)
            (place / "logs" / word).touch()
            (place / backup.DATABASE).write_text(word)
            (place / backup.SECRET).write_text(word)
        (data / f"{backup.DATABASE}-wal").write_text("old")
        (data / backup.STAGE / backup.READY).touch()
        left = [dies_at]

        def dying(work: Callable[..., Any], left: list[int] = left) -> Callable[..., Any]:
            def step(*given: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    raise KeyboardInterrupt
                return work(*given, **named)

            return step

        with monkeypatch.context() as patch:
            for owner, name in zip((shutil, Path, shutil, Path), names, strict=True):
                patch.setattr(owner, name, dying(getattr(owner, name)))
            with contextlib.suppress(KeyboardInterrupt):
                backup.swap(settings)
        make_data_dir(data)
        backup.swap(settings)
        assert not backup.waiting(data)
        for place, word in ((data, "new"), (data / backup.REPLACED, "old")):
            assert [file.name for file in (place / "logs").iterdir()] == [word], dies_at
            assert (place / backup.DATABASE).read_text() == word, dies_at
            assert (place / backup.SECRET).read_text() == word, dies_at
        assert (data / backup.REPLACED / f"{backup.DATABASE}-wal").read_text() == "old"
        if left[0] > 0:
            return
    raise AssertionError("it never came to its end")


def test_a_backup_of_a_later_version_is_refused_before_anything_is_replaced(tmp_path: Path) -> None:
    """Not by the server that would have to serve it."""
    settings = load({"NIXFLEET_DATA_DIR": str(tmp_path / "data")})
    make_data_dir(settings.data_dir)
    with contextlib.closing(sqlite3.connect(settings.data_dir / "nixfleet.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
        database.commit()
    with (tmp_path / "later").open("wb") as out:
        backup.write(settings, out)
    with pytest.raises(Refused, match="later version"):
        backup.stage(settings, tmp_path / "later")
    assert not (settings.data_dir / backup.STAGE).exists()


def test_what_a_killed_backup_left_is_removed_by_a_later_one(server: ServerProcess, tmp_path: Path) -> None:
    old, new = server.data / "backup-old", server.data / "backup-new"
    for place in (old, new):
        place.mkdir()
        (place / backup.DATABASE).touch()
    os.utime(old, (0, 0))
    assert command(server.data, "backup", str(tmp_path / "b")).returncode == 0
    assert (old.exists(), new.exists()) == (False, True), "the other may still be written"
