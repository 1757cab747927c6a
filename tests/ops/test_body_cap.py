"""The cap in front of pages: what is too large is refused unread, everything else passes untouched."""

import asyncio

from asgiref.testing import ApplicationCommunicator
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from apps.ops.body_cap import BodyCap


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
