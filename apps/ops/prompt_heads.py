"""Connections over which no request arrives: ended after a while, or once what comes is too long to be a head.

uvicorn itself would wait for ever for the first request of a connection and for the rest of a body that was answered
already, and keeps header after header.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 75.0
"""Longer than load balancers keep a connection ready, which is a minute mostly."""
MAX_HEAD_BYTES = 64 * 1024


class PromptHeads(HttpToolsProtocol):
    """uvicorn's own protocol, with a limit to how slowly and at what length the head of a request may come."""

    head_seconds: ClassVar[float] = HEAD_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _n_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._n_bytes = 0
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._have_head()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        was_waiting = self._timer is not None
        super().data_received(data)
        if self._timer is None:
            if self.cycle is not None and self.cycle.response_complete:  # the rest of a body that nobody asked for
                self._wait_for_head()
        elif was_waiting:
            self._n_bytes += len(data)
            if self._n_bytes > MAX_HEAD_BYTES:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _have_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
