"""Assets: packed for those who take it, the same bytes either way, asked for again by tag, new when the file is."""

import asyncio
import os
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from nixfleet_server.assets import Assets

TEXT = "export const answer = 42;\n" * 200


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "a.js").write_text(TEXT)
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(2000))
    return tmp_path


class Asker:
    """Asks the assets without a server between."""

    def __init__(self, place: Path) -> None:
        self._app = Starlette(routes=[Mount("/static", Assets(directory=place))])

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://assets") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def client(place: Path) -> Asker:
    return Asker(place)


def test_the_same_text_packed_or_not(client: Asker) -> None:
    packed = client.get("/static/a.js", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/static/a.js", headers={"Accept-Encoding": "identity"})
    assert packed.text == plain.text == TEXT
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < len(TEXT) / 4
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-type"] == plain.headers["content-type"]
    assert packed.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_what_is_known_is_not_sent_again(client: Asker, encoding: str) -> None:
    first = client.get("/static/a.js", headers={"Accept-Encoding": encoding})
    headers = {"Accept-Encoding": encoding, "If-None-Match": first.headers["etag"]}
    again = client.get("/static/a.js", headers=headers)
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]


def test_a_replaced_file_is_sent_without_a_restart(client: Asker, place: Path) -> None:
    first = client.get("/static/a.js")
    (place / "a.js").write_text("changed " * 100)
    os.utime(place / "a.js", (1, 1))
    headers = {"If-None-Match": first.headers["etag"]}
    assert client.get("/static/a.js", headers=headers).text == "changed " * 100


def test_what_is_packed_already_is_sent_as_it_is(client: Asker) -> None:
    assert "content-encoding" not in client.get("/static/a.png").headers


def test_a_part_of_a_file_is_a_part_of_its_own_bytes(client: Asker) -> None:
    part = client.get("/static/a.js", headers={"Range": "bytes=0-5"})
    assert (part.status_code, part.text) == (206, TEXT[:6])
    assert "content-encoding" not in part.headers
