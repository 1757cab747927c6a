"""Connections that send no whole request: they are ended, and others are not."""

import socket
import time
from collections.abc import Iterator

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from apps.ops.prompt_heads import MAX_HEAD_BYTES, PromptHeads
from tests.served import served

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def answer_at_once(_scope: Scope, _receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"ok", "more_body": False})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server that waits half a second for the head of a request."""
    monkeypatch.setattr(PromptHeads, "head_seconds", 0.5)
    with served(answer_at_once, http=PromptHeads) as port:
        yield port


def is_ended(connection: socket.socket, drip: bytes, *, seconds: float = 5.0) -> bool:
    """Send a drip twenty times a second; say whether the server ended the connection meanwhile."""
    connection.settimeout(0.05)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            connection.sendall(drip)
            if not connection.recv(4096):
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


@pytest.mark.parametrize(
    ("begun", "drip"),
    [(b"", b""), (HEAD, b"X: 1\r\n"), (HEAD + b"X: ", b"1")],
    ids=["nothing", "headers without end", "a header without end"],
)
def test_a_connection_without_a_whole_head_is_ended(port: int, begun: bytes, drip: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(begun)
        assert is_ended(connection, drip)


def test_so_is_one_that_goes_on_with_a_body_after_the_answer(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert is_ended(connection, b"a")


def send_headers(connection: socket.socket, *, n_bytes: int) -> None:
    line = b"X: " + b"1" * 8000 + b"\r\n"
    for _ in range(n_bytes // len(line)):
        connection.sendall(line)


def test_a_head_too_long_is_not_kept_however_fast_it_comes(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PromptHeads, "head_seconds", 60.0)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HEAD)
        with pytest.raises(ConnectionError):
            send_headers(connection, n_bytes=100 * MAX_HEAD_BYTES)


def test_a_connection_that_is_used_stays(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(4):
            connection.sendall(HEAD + b"\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            assert not is_ended(connection, b"", seconds=0.3)
