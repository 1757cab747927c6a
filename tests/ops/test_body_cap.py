"""The cap in front of Django: what is too large or too slow is refused, everything else passes untouched."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import pytest
from asgiref.testing import ApplicationCommunicator
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.conf import settings

from apps.ops.body_cap import BodyCap
from tests.served import served


class Inner:
    """Reads the whole body and says how it ended."""

    def __init__(self) -> None:
        self.body = b""
        self.was_called = False
        self.was_cut = False

    async def __call__(self, _scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.was_called = True
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.was_cut = True
                break
            self.body += message["body"]
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def send_through(*parts: bytes, declared: int | None = None) -> tuple[int, bytes, Inner]:
    inner = Inner()

    async def ask() -> tuple[int, bytes]:
        headers = [] if declared is None else [(b"content-length", str(declared).encode())]
        door = ApplicationCommunicator(BodyCap(inner, max_bytes=10), {"type": "http", "headers": headers})
        for i, part in enumerate(parts):
            await door.send_input({"type": "http.request", "body": part, "more_body": i < len(parts) - 1})
        start = await door.receive_output()
        body = await door.receive_output()
        return start["status"], body["body"]

    status, body = asyncio.run(ask())
    return status, body, inner


def test_a_body_at_the_cap_arrives_whole() -> None:
    status, _body, inner = send_through(b"12345", b"67890", declared=10)
    assert status == 200
    assert inner.body == b"1234567890"


def test_a_declared_length_over_the_cap_is_refused_unread_with_a_sentence() -> None:
    status, body, inner = send_through(b"", declared=11)
    assert status == 413
    assert b"Send it in smaller parts." in body
    assert not inner.was_called


def test_a_body_that_grows_over_the_cap_is_cut_and_refused_with_the_same_sentence() -> None:
    status, body, inner = send_through(b"12345", b"678901", b"more")
    assert inner.was_cut
    assert len(inner.body) <= 10
    assert status == 413
    assert b"Send it in smaller parts." in body


def test_a_refusal_names_the_request_in_its_body_and_in_its_header() -> None:
    async def ask() -> tuple[dict[bytes, bytes], bytes]:
        scope = {"type": "http", "headers": [(b"content-length", b"11"), (b"x-request-id", b"trace-0001")]}
        door = ApplicationCommunicator(BodyCap(Inner(), max_bytes=10), scope)
        start = await door.receive_output()
        return dict(start["headers"]), (await door.receive_output())["body"]

    headers, body = asyncio.run(ask())
    assert headers[b"x-request-id"] == b"trace-0001"
    assert json.loads(body)["requestId"] == "trace-0001"


@pytest.fixture
def impatient_port() -> Iterator[int]:
    """A server that waits half a second for a body, and then for a kilobyte a second."""
    with served(BodyCap(Inner(), max_bytes=10_000_000, grace_s=0.5)) as port:
        yield port


def trickle(port: int, *, n_bytes_each: int, n: int) -> bytes:
    """Send so many bytes twenty times a second, and return what the server said until it closed the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /v1/functions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % (n_bytes_each * n))
        connection.sendall(b"Connection: close\r\n\r\n")
        connection.settimeout(0.05)
        for _ in range(n):
            try:
                connection.sendall(b"a" * n_bytes_each)
                if answer := connection.recv(65_536):
                    return answer
            except TimeoutError:
                continue
        connection.settimeout(10)
        return connection.recv(65_536)


def test_a_body_that_trickles_in_is_told_so_and_its_connection_closed(impatient_port: int) -> None:
    started = time.monotonic()
    answer = trickle(impatient_port, n_bytes_each=1, n=200)
    assert time.monotonic() - started < 5
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    said = json.loads(body)
    assert said["code"] == "too_slow"
    assert set(said) == {"message", "code", "requestId"}


def test_a_body_that_takes_longer_but_moves_arrives_whole(impatient_port: int) -> None:
    assert trickle(impatient_port, n_bytes_each=1000, n=30).startswith(b"HTTP/1.1 200 ")


def test_an_answer_may_take_longer_than_a_body_may() -> None:
    async def slowly(_scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await receive()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):  # as Django does: it waits for the caller to go away
                await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def ask() -> int:
        door = ApplicationCommunicator(BodyCap(slowly, max_bytes=10, grace_s=0.01), {"type": "http", "headers": []})
        await door.send_input({"type": "http.request", "body": b"a", "more_body": False})
        return int((await door.receive_output())["status"])

    assert asyncio.run(ask()) == 200


@pytest.mark.parametrize("path", ["/v1/functions", "/v0.9/functions", "/api.com/v1/functions", "/connect/token"])
@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "in chunks"])
def test_requests_to_the_api_over_its_cap_are_413_with_the_body_of_all_errors(path: str, is_declared: bool) -> None:
    from config.asgi import application  # it loads the apps

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if is_declared:
        headers.append((b"content-length", str(settings.API_MAX_BYTES + 1).encode()))
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}

    async def ask() -> tuple[int, bytes]:
        door = ApplicationCommunicator(application, scope)
        megabytes = 0 if is_declared else settings.API_MAX_BYTES // 1024**2 + 1
        for _ in range(megabytes):
            await door.send_input({"type": "http.request", "body": bytes(1024**2), "more_body": True})
        start = await door.receive_output(timeout=20)
        return start["status"], (await door.receive_output())["body"]

    status, body = asyncio.run(ask())
    assert status == 413
    said = json.loads(body)
    assert said["code"] == "too_large"
    assert f"{settings.API_MAX_BYTES // 1024**2} MB" in said["message"]
    assert set(said) == {"message", "code", "requestId"}
    assert said["requestId"]
