"""Request ids, who asks, and pages for service errors that a view did not answer itself."""

import codecs
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from apps.core import caller
from apps.core.errors import HundredfoldError
from apps.core.http import status_of
from apps.core.metrics import REQUESTS

_WRITINGS = {"utf-8", "utf-8-sig", "ascii", "iso8859-1", "cp1252"}
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id_of(header: str | None) -> str:
    """Keep a proxy's request id if it is harmless, else make one."""
    return header if header and _SAFE_ID.fullmatch(header) else secrets.token_hex(8)


class RequestIdMiddleware:
    """Give each request an id, in the log lines it causes and in `X-Request-ID` of its answer, and say who asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.headers.get("X-Request-ID"))
        request.request_id = request_id  # type: ignore[attr-defined]  # read through AppHttpRequest
        address = request.META.get("REMOTE_ADDR") or ""
        with structlog.contextvars.bound_contextvars(request_id=request_id), caller.calling(address):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class KnownWriting:
    """Refuse bodies that say they are written in anything but UTF-8 or Latin letters, before anybody reads one.

    Nobody sends others today, and Python knows writings that take it hours to read (punycode), and some that are none
    (zlib). Anonymous callers could ask for them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _is_known(str((request.content_params or {}).get("charset", ""))):
            return self.get_response(request)
        message = "Send texts in UTF-8, or leave the charset out of the header Content-Type."
        request_id = getattr(request, "request_id", "")
        body = {"message": message, "code": "unsupported_media_type", "requestId": request_id}
        return JsonResponse(body, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _is_known(charset: str) -> bool:
    try:
        return not charset or codecs.lookup(charset).name in _WRITINGS
    except (LookupError, ValueError):  # no such writing, or no name of one: a NUL in it, say
        return False


class CountRequests:
    """Count what was answered, by the name of the route: addresses hold ids, and there are too many of those."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        route = (match.view_name if match else "") or "unknown"
        REQUESTS.labels(route=route, status=str(response.status_code)).inc()
        return response


class ServiceErrorMiddleware:
    """Turn a service error into the answer its reader expects: a fragment for htmx, JSON for scripts, else a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, HundredfoldError):
            return None
        status = status_of(exception)
        request_id = getattr(request, "request_id", "")
        if request.headers.get("Accept", "").startswith("application/json"):
            body = {"message": exception.message, "code": exception.code, "requestId": request_id}
            return JsonResponse(body, status=status)
        template = "_error.html" if request.headers.get("HX-Request") else "error.html"
        context = {"message": exception.message, "status": status, "request_id": request_id}
        response = render(request, template, context, status=status)
        patch_vary_headers(response, ["HX-Request", "Accept"])
        return response
