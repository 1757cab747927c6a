"""How much one request may carry, and how slowly, decided before anything of it is kept.

Django writes an upload to disk before a view can look at it, so the cap stands in front of Django.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    HTTPScope,
)

from apps.core.middleware import request_id_of

FORM_OVERHEAD_BYTES = 1024 * 1024
"""Room for field names, file names and boundaries beside the files themselves."""
GRACE_SECONDS = 30.0
SLOWEST_BYTES_PER_S = 1000
"""What a bad telephone line still carries. Without such a limit a byte now and then holds a connection for ever."""


class BodyCap:
    """An ASGI application in front of another: bodies over `max_bytes` do not reach it, nor such as trickle in.

    A length over the cap is answered with 413, declared or not: a body that grows over it ends for the application as
    if the caller had gone away, and what the application says to that is not sent. So does one that is later than
    `grace_s` and a second for each kilobyte that came, with 408.
    """

    def __init__(self, application: ASGI3Application, *, max_bytes: int, grace_s: float = GRACE_SECONDS) -> None:
        self._application = application
        self._max_bytes = max_bytes
        self._grace_s = grace_s

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if _declared_bytes(scope) > self._max_bytes:
            await _refuse(scope, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", self._too_large)
            return
        body = _Arriving(receive, max_bytes=self._max_bytes, grace_s=self._grace_s)
        is_answered = False

        async def answering(event: ASGISendEvent) -> None:
            nonlocal is_answered
            if is_answered or not body.is_cut:
                is_answered = True
                await send(event)

        await self._application(scope, body.receive, answering)
        if is_answered:
            return
        if body.is_too_large:
            await _refuse(scope, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", self._too_large)
        elif body.is_too_slow:
            await _refuse(scope, send, HTTPStatus.REQUEST_TIMEOUT, "too_slow", _TOO_SLOW)

    @property
    def _too_large(self) -> str:
        return f"This is more than {self._max_bytes // 1024**2} MB in one go. Send it in smaller parts."


class _Arriving:
    """A body on its way in, cut off where it is too large or too slow."""

    def __init__(self, receive: ASGIReceiveCallable, *, max_bytes: int, grace_s: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._ends_at = asyncio.get_running_loop().time() + grace_s
        self._is_whole = False
        self._n_bytes = 0
        self.is_too_slow = False

    @property
    def is_too_large(self) -> bool:
        return self._n_bytes > self._max_bytes

    @property
    def is_cut(self) -> bool:
        return self.is_too_large or self.is_too_slow

    async def receive(self) -> ASGIReceiveEvent:
        if self._is_whole:  # what is awaited now is that the caller goes away, and that takes what it takes
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends_at + self._n_bytes / SLOWEST_BYTES_PER_S):
                message = await self._receive()
        except TimeoutError:
            self.is_too_slow = True
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            self._n_bytes += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        return {"type": "http.disconnect"} if self.is_too_large else message


_TOO_SLOW = "This arrived too slowly to be waited for. Send it again, in smaller parts or over a faster line."


def _declared_bytes(scope: HTTPScope) -> int:
    return int(value) if (value := _header(scope, b"content-length")).isdigit() else 0


def _header(scope: HTTPScope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


async def _refuse(scope: HTTPScope, send: ASGISendCallable, status: HTTPStatus, code: str, message: str) -> None:
    request_id = request_id_of(_header(scope, b"x-request-id"))
    body = json.dumps({"message": message, "code": code, "requestId": request_id}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        # What is left of the body is not read: the connection cannot serve another request.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
