"""The ASGI door: static files and invoke answer before Django, whose middleware is synchronous and would hold a thread.

Everything else is Django's.
"""

from __future__ import annotations

import os
from typing import cast

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

from apps.ops.static_files import StaticFiles

PROBES = {"/healthz", "/readyz"}
django_application = get_asgi_application()
static_files = StaticFiles(settings.STATIC_ROOT, settings.STATIC_URL)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _answer(scope, receive, send)


async def _answer(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    path = scope["path"]
    if static_files.handles(path):
        await static_files(scope, receive, send)
    else:
        await django_application(cast("dict[str, object]", _seen_locally(scope)), receive, send)  # type: ignore[arg-type]


def _seen_locally(scope: HTTPScope) -> HTTPScope:
    """Let probes through: they call a machine by its address, which the list of allowed hosts need not name."""
    if scope["path"] not in PROBES:
        return scope
    headers = [(name, b"localhost" if name == b"host" else value) for name, value in scope["headers"]]
    return cast("HTTPScope", {**scope, "headers": headers})


async def _lifespan(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
