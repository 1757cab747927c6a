"""Calls over HTTP, answered before Django's middleware: POST /v1/functions/{id}/invoke.

The event loop only moves bytes. The database, the decoding of pictures and the model each have threads of their own;
how many calls and bytes may be inside at once is bounded, and beyond it callers are told to come back (503).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

import structlog
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.conf import settings
from django.db import Error as DatabaseFault

from apps.core.errors import HundredfoldError, InvalidInput, NotSignedIn, TooLarge, Unavailable
from apps.core.ids import with_prefix
from apps.core.middleware import request_id_of
from apps.functions.models import InputKind
from apps.invoke import wire
from apps.invoke.bodies import answer_body
from apps.invoke.gate import Gate, Inside
from apps.invoke.lookup import Admitted, Lookup
from apps.invoke.services import (
    ANSWER_SECONDS,
    TOO_SLOW,
    Answerer,
    Content,
    Predictions,
    live_backbone_names,
    predictions,
    read_content,
    warm_up,
)
from apps.training.services.inputs import Layout
from apps.training.services.serving import Served

Result = TypeVar("Result")
logger = structlog.get_logger(__name__)

BODY_SECONDS = 30
SMALL_BODY_BYTES = 64 * 1024
"""Texts up to this size are read on the event loop; a thread would cost more than it saves."""
MAX_CALLS = 256
MAX_BODIES = 16
"""Room for this many bodies of the largest size at once."""
N_DECODING_THREADS = 2
READERS = {
    InputKind.TEXT.value: wire.read_text,
    InputKind.IMAGE.value: wire.read_picture,
    InputKind.TABLE.value: wire.read_row,
}


class SlowBody(HundredfoldError):
    """The caller did not send the body within `BODY_SECONDS`."""

    code = "too_slow"


class Disconnected(Exception):
    """The caller went away; there is nobody to answer."""


class InvokeApp:
    """The ASGI application of calls. `handles` says which paths are its own."""

    def __init__(
        self, *, service: Predictions = predictions, lookup: Lookup | None = None, gate: Gate | None = None
    ) -> None:
        self._service = service
        self._lookup = lookup or Lookup()
        self._gate = gate or Gate(max_calls=MAX_CALLS, max_bytes=MAX_BODIES * settings.INVOKE_MAX_BYTES)
        self._decoding = ThreadPoolExecutor(N_DECODING_THREADS, thread_name_prefix="invoke-decode")

    def handles(self, path: str) -> bool:
        """Whether this path is a call."""
        return wire.function_id_of(path) is not None

    async def startup(self) -> None:
        """Begin to load the backbones in use; call it when the process starts. Does not wait for them."""
        warm_up(live_backbone_names)

    async def shutdown(self) -> None:
        """Answer what is queued and write what was answered; call it when the process ends."""
        await asyncio.to_thread(self._service.close)

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        headers = _headers(scope)
        request_id = request_id_of(headers.get("x-request-id"))
        try:
            reply = await self._reply(scope, headers, receive, request_id)
        except Disconnected:
            return
        await _send(reply, request_id, send, has_body=scope["method"] != "HEAD")

    async def _reply(
        self, scope: HTTPScope, headers: dict[str, str], receive: ASGIReceiveCallable, request_id: str
    ) -> wire.Reply:
        if scope["method"] != "POST":
            return wire.error_reply(
                405, "Call a function with POST.", "method_not_allowed", request_id, headers=(("allow", "POST"),)
            )
        try:
            with self._gate.call() as inside:
                return await self._answer(scope, headers, receive, inside)
        except SlowBody as error:
            return wire.error_reply(HTTPStatus.REQUEST_TIMEOUT, error.message, error.code, request_id)
        except HundredfoldError as error:
            return wire.refusal(error, request_id)
        except DatabaseFault:
            logger.exception("invoke_database_failed", request_id=request_id)
            return wire.refusal(Unavailable("The database did not answer. Try again in a moment."), request_id)
        except Disconnected:
            raise
        except Exception:
            logger.exception("invoke_failed", request_id=request_id)
            message = "Something went wrong here. The log of the server holds this request's id."
            return wire.error_reply(HTTPStatus.INTERNAL_SERVER_ERROR, message, "internal_error", request_id)

    async def _answer(
        self, scope: HTTPScope, headers: dict[str, str], receive: ASGIReceiveCallable, inside: Inside
    ) -> wire.Reply:
        # Whoever may not call, or calls in vain, is answered before the first byte of the body is read.
        function_id = wire.function_id_of(scope["path"]) or ""
        found = asyncio.wrap_future(self._lookup.find(_bearer(headers), function_id))
        admitted = await asyncio.shield(found)  # others may be waiting for the same lookup
        options = wire.read_options(scope["query_string"])
        answerer = _answerer(admitted, options)
        body = await _read_body(receive, headers, inside)
        started = time.perf_counter()
        payload, content = await self._read(body, headers.get("content-type", ""), answerer.layout)
        answer = await _in_time(asyncio.wrap_future(self._service.submit(answerer, content)))
        if not answer.guesses:
            raise wire.NoModel(admitted.missing)
        milliseconds = 1000 * (time.perf_counter() - started)
        self._service.record(answer, key_id=admitted.key_id, milliseconds=milliseconds)
        return wire.Reply(HTTPStatus.OK, answer_body(answer, options, payload))

    async def _read(self, body: bytes, content_type: str, layout: Layout) -> tuple[wire.Payload, Content]:
        def read() -> tuple[wire.Payload, Content]:
            payload = READERS[layout.input_kind](body, content_type)
            return payload, read_content(payload.data, layout)

        if layout.input_kind != InputKind.IMAGE and len(body) <= SMALL_BODY_BYTES:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._decoding, read)


def _answerer(admitted: Admitted, options: wire.Options) -> Answerer:
    answerer = admitted.answerer
    if answerer is None:
        raise wire.NoModel(admitted.missing)
    current = answerer.model.public_id if isinstance(answerer, Served) else ""
    if options.model_id and with_prefix("model", options.model_id) != current:
        raise InvalidInput("Only the current model answers. Leave modelId empty.")
    return answerer


def _headers(scope: HTTPScope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _bearer(headers: dict[str, str]) -> str:
    scheme, _space, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise NotSignedIn("Send your key in the header: Authorization: Bearer hf_…")
    return text.strip()


async def _read_body(receive: ASGIReceiveCallable, headers: dict[str, str], inside: Inside) -> bytes:
    """Read the body, never more than the cap."""
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > settings.INVOKE_MAX_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _collect(receive, inside)
    except TimeoutError as error:
        raise SlowBody(f"The body did not arrive within {BODY_SECONDS} seconds.") from error


async def _collect(receive: ASGIReceiveCallable, inside: Inside) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        chunk = message.get("body", b"")
        inside.take_bytes(len(chunk))
        if inside.n_bytes > settings.INVOKE_MAX_BYTES:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large() -> TooLarge:
    return TooLarge(f"The body of a call is at most {settings.INVOKE_MAX_BYTES // 1024**2} MB.")


async def _in_time(result: Awaitable[Result]) -> Result:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await result
    except TimeoutError as error:
        raise Unavailable(TOO_SLOW) from error


async def _send(reply: wire.Reply, request_id: str, send: ASGISendCallable, *, has_body: bool) -> None:
    body = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = (
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-request-id", request_id),
        *reply.headers,
    )
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded, "trailers": False})
    await send({"type": "http.response.body", "body": body if has_body else b"", "more_body": False})
