"""Request ids, who asks, and pages for service errors that a view did not answer itself."""

import re
import secrets
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from apps.core import caller
from apps.core.errors import HundredfoldError
from apps.core.http import status_of
from apps.core.metrics import REQUESTS

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
