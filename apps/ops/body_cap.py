"""How much one request to a page may carry, decided before anything of it is kept.

Django writes an upload to disk before a view can look at it, so the cap stands in front of Django.
"""

from __future__ import annotations

import json

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    HTTPScope,
)

FORM_OVERHEAD_BYTES = 1024 * 1024
"""Room for field names, file names and boundaries beside the files themselves."""


class BodyCap:
    """An ASGI application in front of another: bodies over `max_bytes` do not reach it.

    A length over the cap is answered with 413, declared or not: a body that grows over it ends for the application as
    if the caller had gone away, and what the application says to that is not sent.
    """

    def __init__(self, application: ASGI3Application, *, max_bytes: int) -> None:
        self._application = application
        self._max_bytes = max_bytes

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if _declared_bytes(scope) > self._max_bytes:
            await _refuse(send, self._max_bytes)
            return
        n_bytes, is_answered = 0, False

        async def counted() -> ASGIReceiveEvent:
            nonlocal n_bytes
            message = await receive()
            if message["type"] == "http.request":
                n_bytes += len(message.get("body", b""))
            return {"type": "http.disconnect"} if n_bytes > self._max_bytes else message

        async def answering(event: ASGISendEvent) -> None:
            nonlocal is_answered
            if is_answered or n_bytes <= self._max_bytes:
                is_answered = True
                await send(event)

        await self._application(scope, counted, answering)
        if not is_answered and n_bytes > self._max_bytes:
            await _refuse(send, self._max_bytes)


def _declared_bytes(scope: HTTPScope) -> int:
    value = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() else 0


async def _refuse(send: ASGISendCallable, max_bytes: int) -> None:
    message = f"This is more than {max_bytes // 1024**2} MB in one go. Send it in smaller parts."
    body = json.dumps({"message": message, "code": "too_large", "requestId": ""}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # What is left of the body is not read: the connection cannot serve another request.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 413, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
