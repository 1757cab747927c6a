"""Which addresses are the API's, however existing clients write them.

One URL map serves them all: the mount `/api.com` (clients find their base by splitting an address at `.com`) and a
slash at the end are taken off before it is asked, and no call is ever answered with a redirect. The page that such a
client tells people to open is: it leads to ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import SEEK_END

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from apps.core.ids import with_prefix

MOUNT = "/api.com"
_API = re.compile(r"/(?:v1|v0\.9|connect)(?:/|$)")
_CONSOLE = re.compile(r"/console/functions/(\w+)(?:/|$)", re.ASCII)


def is_api(path: str) -> bool:
    """Whether JSON is expected at this address, also where there is nothing."""
    return path.startswith((f"{MOUNT}/", "/api/")) or path == MOUNT or _API.match(path) is not None


class ApiPaths:
    """Bring an address of the API into the one form that the URL map knows."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info.removeprefix(MOUNT)
        if _API.match(path):
            request.path_info = path.rstrip("/") or "/"
            _tell_length(request)
        elif shown := _CONSOLE.match(path):
            return HttpResponseRedirect(f"/functions/{with_prefix('function', shown[1])}/")
        return self.get_response(request)


def _tell_length(request: HttpRequest) -> None:
    """Give a body that came in chunks its length: without one it would be taken for empty."""
    stream = getattr(request, "_stream", None)
    if request.META.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" not in request.META or stream is None:
        return
    request.META["CONTENT_LENGTH"] = str(stream.seek(0, SEEK_END))
    stream.seek(0)
