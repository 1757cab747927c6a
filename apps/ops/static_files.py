"""Static files at the ASGI door.

WhiteNoise knows the files, their compressed twins and their headers; it is made for WSGI, so the sending is ours.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO, cast
from wsgiref.headers import Headers

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from whitenoise import WhiteNoise

CHUNK_BYTES = 256 * 1024
# The manifest storage puts twelve digits of a file's hash into its name: such a file never changes.
HASHED_NAME = r"\.[0-9a-f]{12}\.[^/]+$"


class StaticFiles:
    """Answers everything under `prefix` from the files that lay in `folder` when the process started."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.prefix = prefix
        folder.mkdir(parents=True, exist_ok=True)
        self.files: dict[str, object] = WhiteNoise(
            None,
            root=str(folder),
            prefix=prefix,
            allow_all_origins=False,
            immutable_file_test=HASHED_NAME,
            add_headers_function=_add_headers,
        ).files

    def handles(self, path: str) -> bool:
        return path.startswith(self.prefix)

    async def __call__(self, scope: HTTPScope, _receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        file = self.files.get(scope["path"])
        if file is None:
            await _send_start(send, 404, [("Content-Type", "text/plain")])
            await _send_body(send, b"There is no such file.")
            return
        response = file.get_response(scope["method"], _as_environ(scope))  # type: ignore[attr-defined]  # no types there
        await _send_start(send, int(response.status), response.headers)
        if response.file is None:
            await _send_body(send, b"")
            return
        with cast("BinaryIO", response.file) as content:
            while chunk := await asyncio.to_thread(content.read, CHUNK_BYTES):
                await _send_body(send, chunk, more=True)
        await _send_body(send, b"")


def _add_headers(headers: Headers, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"


def _as_environ(scope: HTTPScope) -> dict[str, str]:
    return {
        "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
        for name, value in scope["headers"]
    }


async def _send_start(send: ASGISendCallable, status: int, headers: list[tuple[str, str]]) -> None:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded, "trailers": False})


async def _send_body(send: ASGISendCallable, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
