"""The ASGI door: static files and calls of functions answer before Django, whose middleware is synchronous and would
hold a thread for each. Everything else is Django's.
"""

from __future__ import annotations

import os
from typing import cast

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

from apps.api.paths import is_api
from apps.ops.body_cap import FORM_OVERHEAD_BYTES, BodyCap
from apps.ops.static_files import StaticFiles

_django = cast("ASGI3Application", get_asgi_application())
pages = BodyCap(_django, max_bytes=settings.UPLOAD_MAX_BYTES + FORM_OVERHEAD_BYTES)
api = BodyCap(_django, max_bytes=settings.API_MAX_BYTES)

from apps.invoke.asgi import InvokeApp  # noqa: E402  # it imports models, so the apps must have been loaded

PROBES = {"/healthz", "/readyz"}

static_files = StaticFiles(settings.STATIC_ROOT, settings.STATIC_URL)
invoke = InvokeApp()


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _answer(scope, receive, send)


async def _answer(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    path = scope["path"]
    if static_files.handles(path):
        await static_files(scope, receive, send)
    elif invoke.handles(path):
        await invoke(scope, receive, send)
    else:
        door = api if is_api(path) else pages
        await door(_as_local(scope) if path in PROBES else scope, receive, send)


def _as_local(scope: HTTPScope) -> HTTPScope:
    """Let probes in: they call a machine by its address, which the list of allowed hosts need not name."""
    headers = [(name, b"localhost" if name == b"host" else value) for name, value in scope["headers"]]
    return cast("HTTPScope", {**scope, "headers": headers})


async def _lifespan(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    await invoke.startup()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await invoke.shutdown()
    await send({"type": "lifespan.shutdown.complete"})
