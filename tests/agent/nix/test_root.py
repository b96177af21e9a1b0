"""Reading a tree as the host sees it, whatever is in it."""

import os
from pathlib import Path

import pytest

from tests.agent.nix.hosts import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "tree")


def test_absolute_links_stay_inside(host: Host, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("outside")
    host.write("/real/file", "inside")
    host.link("/a", "/real")
    host.link("/b", "a/file")
    host.link("/out", "../../../../secret")
    host.link("/absolute", str(tmp_path / "secret"))
    assert host.root.read("/a/file") == host.root.read("/b") == "inside"
    assert host.root.resolve("/b") == "/real/file"
    assert host.root.read("/out") is host.root.read("/absolute") is None
    assert host.root.resolve("/a/../a/./file") == "/real/file"


def test_a_link_says_what_it_says(host: Host) -> None:
    host.link("/system/kernel", "/nix/store/linux/bzImage")
    host.link("/run/current", "/system")
    assert host.root.link("/run/current/kernel") == "/nix/store/linux/bzImage"  # though it leads nowhere
    assert host.root.resolve("/run/current/kernel") is None
    assert host.root.link("/system") is None
    assert host.root.link("/nowhere/x") is None


def test_loops_pipes_directories_and_rubbish_are_none(host: Host) -> None:
    host.link("/loop", "loop")
    host.link("/ping", "/pong")
    host.link("/pong", "/ping")
    host.write("/file", "x")
    host.at("/binary").write_bytes(b"\xff\xfe")
    os.mkfifo(host.at("/pipe"))
    for path in ("/loop", "/ping", "/file/below", "/binary", "/pipe", "/", "/missing", "/nul\0"):
        assert host.root.read(path) is None
    assert host.root.names("/file") is host.root.names("/loop") is None
    assert host.root.changed_at("/missing") is host.root.changed_at("/missing/x") is None


def test_not_more_is_read_than_a_fact_may_be_long(host: Host) -> None:
    host.write("/endless", "x" * 10_000_000)
    assert len(host.root.read("/endless") or "") == 256 * 1024
