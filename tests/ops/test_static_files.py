"""Static files at the ASGI door: bytes, headers and compression, and nothing outside the folder."""

import asyncio
import gzip
from pathlib import Path

import pytest
from asgiref.testing import ApplicationCommunicator

from apps.ops.static_files import StaticFiles

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def files(tmp_path: Path) -> StaticFiles:
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "app.css").write_text("body { color: black }" * 200)
    (folder / "app.css.gz").write_bytes(gzip.compress((folder / "app.css").read_bytes()))
    (folder / "app.0123456789ab.js").write_bytes(b"x" * 1_000_000)
    (tmp_path / "secret_key").write_text("secret")
    return StaticFiles(folder, "/static/")


def get(files: StaticFiles, path: str, *, method: str = "GET", **headers: str) -> Answer:
    async def ask() -> Answer:
        encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "path": path, "method": method, "headers": encoded}
        door = ApplicationCommunicator(files, scope)
        await door.send_input({"type": "http.request"})
        start, body, more = await door.receive_output(), b"", True
        while more:
            part = await door.receive_output()
            body, more = body + part["body"], part["more_body"]
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body

    return asyncio.run(ask())


def test_a_file_is_sent_with_its_type(files: StaticFiles) -> None:
    status, headers, body = get(files, "/static/app.css")
    assert status == 200
    assert headers["content-type"] == 'text/css; charset="utf-8"'
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert len(body) == int(headers["content-length"])


def test_a_browser_that_can_gets_the_compressed_one(files: StaticFiles) -> None:
    _status, headers, body = get(files, "/static/app.css", accept_encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body).startswith(b"body")


def test_a_hashed_name_is_kept_for_ever_and_a_large_file_is_whole(files: StaticFiles) -> None:
    _status, headers, body = get(files, "/static/app.0123456789ab.js")
    assert "immutable" in headers["cache-control"]
    assert body == b"x" * 1_000_000


def test_an_unchanged_file_is_not_sent_again(files: StaticFiles) -> None:
    etag = get(files, "/static/app.css")[1]["etag"]
    assert get(files, "/static/app.css", if_none_match=etag)[::2] == (304, b"")


def test_asking_for_the_head_sends_no_body(files: StaticFiles) -> None:
    assert get(files, "/static/app.css", method="HEAD")[::2] == (200, b"")


def test_nothing_is_posted_to_a_file(files: StaticFiles) -> None:
    assert get(files, "/static/app.css", method="POST")[0] == 405


@pytest.mark.parametrize(
    "path", ["/static/none.css", "/static/../secret_key", "/static/%2e%2e/secret_key", "/static//"]
)
def test_what_is_not_a_collected_file_is_not_found(files: StaticFiles, path: str) -> None:
    assert get(files, path)[0] == 404
