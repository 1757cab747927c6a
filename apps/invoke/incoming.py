"""What comes in with a call: its headers, its key and its body, never more of it than allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from asgiref.typing import ASGIReceiveCallable, HTTPScope

from apps.core.errors import HundredfoldError, NotSignedIn, TooLarge
from apps.invoke.gate import Inside

BODY_SECONDS = 30


class SlowBody(HundredfoldError):
    """The caller did not send the body within `BODY_SECONDS`."""

    code = "too_slow"


class Disconnected(Exception):
    """The caller went away; there is nobody to answer."""


def headers_of(scope: HTTPScope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def bearer_of(headers: dict[str, str]) -> str:
    """Return what the header bears. Raises NotSignedIn."""
    scheme, _space, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise NotSignedIn("Send your key in the header: Authorization: Bearer hf_…")
    return text.strip()


@dataclass(frozen=True)
class Arriving:
    """A body on its way in."""

    receive: ASGIReceiveCallable
    headers: Mapping[str, str]
    inside: Inside
    path: str
    query: str

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    async def read(self, max_bytes: int) -> bytes:
        """Return all of it. Raises TooLarge, SlowBody, Unavailable where there is no room for it, or Disconnected."""
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > max_bytes:
            raise _too_large(max_bytes)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._collected(max_bytes)
        except TimeoutError as error:
            raise SlowBody(f"The body did not arrive within {BODY_SECONDS} seconds.") from error

    async def _collected(self, max_bytes: int) -> bytes:
        chunks: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Disconnected
            chunk = message.get("body", b"")
            self.inside.take_bytes(len(chunk))
            if self.inside.n_bytes > max_bytes:
                raise _too_large(max_bytes)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body of a call is at most {max_bytes // 1024**2} MB.")
