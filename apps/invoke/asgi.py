"""Calls over HTTP, answered before Django's middleware: POST /v1/functions/{id}/invoke.

The event loop only moves bytes. The database, the decoding of pictures and the model each have threads of their own;
how many calls and bytes may be inside at once is bounded, and beyond it callers are told to come back (503).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from http import HTTPStatus

import structlog
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.conf import settings
from django.db import Error as DatabaseFault

from apps.core import caller
from apps.core.errors import HundredfoldError, Unavailable
from apps.core.metrics import REFUSED, REQUESTS
from apps.core.middleware import request_id_of
from apps.events.live import hub
from apps.invoke import capture, repeating, wire
from apps.invoke.calling import GONE_WRONG, Call, Calling
from apps.invoke.gate import Gate
from apps.invoke.incoming import Arriving, Disconnected, SlowBody, bearer_of, headers_of
from apps.invoke.lookup import Admitted, Lookup
from apps.invoke.services import Answerer, Predictions, live_backbone_names, predictions, warm_up
from apps.workspaces import throttles
from apps.workspaces.services import when_keys_change
from apps.workspaces.services.idempotency import hash_of
from apps.workspaces.services.quotas import require_calls

logger = structlog.get_logger(__name__)

MAX_CALLS = 256
MAX_BODIES = 16
"""Room for this many bodies of the largest size at once."""


class InvokeApp:
    """The ASGI application of calls. `handles` says which paths are its own."""

    def __init__(
        self, *, service: Predictions = predictions, lookup: Lookup | None = None, gate: Gate | None = None
    ) -> None:
        self._service = service
        self._lookup = lookup or Lookup()
        self._gate = gate or Gate(max_calls=MAX_CALLS, max_bytes=MAX_BODIES * settings.INVOKE_MAX_BYTES)
        self._calling = Calling(service)

    def handles(self, path: str) -> bool:
        """Whether this path is a call."""
        return wire.route_of(path) is not None

    async def startup(self) -> None:
        """Begin to load the backbones in use, and to hear what changes; call it when the process starts."""
        warm_up(live_backbone_names)
        changes = hub()
        changes.watch(self._lookup)
        changes.watch(capture.capturing)
        self._lookup.is_told = capture.capturing.is_told = lambda: changes.is_connected
        when_keys_change(self._lookup.forget)

    async def shutdown(self) -> None:
        """Answer what is queued and write what was answered; call it when the process ends, after `startup`."""
        hub().unwatch(self._lookup)
        hub().unwatch(capture.capturing)
        await asyncio.to_thread(self._service.close)

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        headers = headers_of(scope)
        request_id = request_id_of(headers.get("x-request-id"))
        client = scope.get("client")
        try:
            with caller.calling(client[0] if client else ""):
                reply = await self._reply(scope, headers, receive, request_id)
        except Disconnected:
            return
        REQUESTS.labels(route="invoke", status=str(int(reply.status))).inc()
        if reply.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
            REFUSED.labels(str(int(reply.status))).inc()
        await _send(reply, request_id, send, has_body=scope["method"] != "HEAD")

    async def _reply(
        self, scope: HTTPScope, headers: dict[str, str], receive: ASGIReceiveCallable, request_id: str
    ) -> wire.Reply:
        if scope["method"] != "POST":
            return wire.error_reply(
                405, "Call a function with POST.", "method_not_allowed", request_id, headers=(("allow", "POST"),)
            )
        try:
            return await self._answer(scope, headers, receive, request_id)
        except SlowBody as error:
            # The rest of the body may trickle on; without this it would hold the connection for ever.
            close = (("connection", "close"),)
            return wire.error_reply(HTTPStatus.REQUEST_TIMEOUT, error.message, error.code, request_id, headers=close)
        except HundredfoldError as error:
            return wire.refusal(error, request_id)
        except DatabaseFault:
            logger.exception("invoke_database_failed", request_id=request_id)
            return wire.refusal(Unavailable("The database did not answer. Try again in a moment."), request_id)
        except Disconnected:
            raise
        except Exception:
            logger.exception("invoke_failed", request_id=request_id)
            return wire.error_reply(HTTPStatus.INTERNAL_SERVER_ERROR, GONE_WRONG, "internal_error", request_id)

    async def _answer(
        self, scope: HTTPScope, headers: dict[str, str], receive: ASGIReceiveCallable, request_id: str
    ) -> wire.Reply:
        """Whoever may not call, or calls in vain, is answered before the first byte of the body is read."""
        throttles.admit_address()
        route, options = _route(scope), wire.read_options(scope["query_string"])
        with self._gate.call() as inside:
            admitted = await _found(self._lookup.find(bearer_of(headers), route.function_id, options.model_id))
            caller.shown(admitted.key.public_id)
            started = time.perf_counter()
            arriving = Arriving(receive, headers, inside, scope["path"], scope["query_string"].decode("latin-1"))
            try:
                throttles.admit_key(admitted.key)
                require_calls(admitted.key.workspace)
                call = Call(admitted, _answerer(admitted), options, request_id, is_old=route.is_old)
                return await (self._many if route.is_batch else self._one)(call, arriving)
            except HundredfoldError as error:
                self._calling.failed(admitted, error, started)
                raise

    async def _one(self, call: Call, arriving: Arriving) -> wire.Reply:
        capture.prepare(call.admitted.function, call.admitted.key.n_events_then)
        lane = self._gate.lane(call.answerer.layout.input_kind)
        lane.check()
        body = await arriving.read(settings.INVOKE_MAX_BYTES)

        async def answer() -> wire.Reply:
            with lane.call():
                return wire.Reply(HTTPStatus.OK, await self._calling.one(call, body, arriving.content_type))

        return await _once(call, arriving, body, answer)

    async def _many(self, call: Call, arriving: Arriving) -> wire.Reply:
        capture.prepare(call.admitted.function, call.admitted.key.n_events_then)
        layout = call.answerer.layout
        body = await arriving.read(settings.API_MAX_BYTES)

        async def answer() -> wire.Reply:
            payloads = await self._calling.payloads(body, arriving.content_type, layout)
            throttles.admit_key(call.admitted.key, max(0, len(payloads) - 1))
            require_calls(call.admitted.key.workspace, len(payloads))
            with self._gate.lane(layout.input_kind).bulk(len(payloads)):
                return wire.Reply(HTTPStatus.OK, {"items": await self._calling.many(call, payloads)})

        return await _once(call, arriving, body, answer)


async def _once(call: Call, arriving: Arriving, body: bytes, answer: Callable[[], Awaitable[wire.Reply]]) -> wire.Reply:
    words = arriving.headers.get(repeating.HEADER)
    if words is None:
        return await answer()
    request_hash = hash_of(
        method="POST", path=arriving.path, query=arriving.query, content_type=arriving.content_type, body=body
    )
    return await repeating.once(
        key=call.admitted.key, words=words, request_hash=request_hash, request_id=call.request_id, work=answer
    )


async def _found(found: Future[Admitted]) -> Admitted:
    """What is known already costs no turn of the event loop."""
    if found.done():
        return found.result()
    return await asyncio.shield(asyncio.wrap_future(found))  # others may be waiting for the same lookup


def _route(scope: HTTPScope) -> wire.Route:
    route = wire.route_of(scope["path"])
    if route is None:
        raise ValueError(f"{scope['path']} is no address of a call.")
    return route


def _answerer(admitted: Admitted) -> Answerer:
    if admitted.answerer is None:
        raise wire.NoModel(admitted.missing)
    return admitted.answerer


async def _send(reply: wire.Reply, request_id: str, send: ASGISendCallable, *, has_body: bool) -> None:
    body = reply.content
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
