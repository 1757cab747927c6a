"""Whatever goes wrong becomes one body: `{"message", "code", "requestId"}`, the message saying what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from apps.api.paths import is_api
from apps.core.errors import Conflict, HundredfoldError, Throttled, Unavailable
from apps.core.http import status_of
from apps.core.texts import storable
from apps.workspaces.services.idempotency import StillAtWork

logger = structlog.get_logger(__name__)

GONE_WRONG = "Something went wrong here. The log of the server holds this request's id."
NOTHING_HERE = "There is nothing at this address. The page /api/docs/ lists all there is."
_CODES = {
    HTTPStatus.BAD_REQUEST: "invalid_input",
    HTTPStatus.FORBIDDEN: "not_allowed",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_error",
}


class Duplicate(Conflict):
    """What should be made is there already; the reply names it, so that making it again does no harm."""

    code = "duplicate"

    def __init__(self, message: str, *, existing_id: str, name: str = "") -> None:
        super().__init__(message)
        self.facts = {"id": existing_id} | ({name: existing_id} if name else {})


def error_body(
    message: str, code: str, request_id: str, facts: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return the one shape that every error has, with the facts that some add. Messages may repeat what was sent."""
    return {"message": storable(message), "code": code, "requestId": request_id, **(facts or {})}


def handle(error: Exception, context: Mapping[str, object]) -> Response | None:
    """Answer what a view raised; None leaves it to Django, which logs it and calls `server_error`."""
    view = context["view"]
    request_id = str(getattr(getattr(view, "request", None), "request_id", ""))
    if isinstance(error, HundredfoldError):
        return _service_error(error, request_id)
    if isinstance(error, OperationalError):  # away, full, or locked for too long: trying again may end differently
        logger.error("api_database_failed", exc_info=error)
        return _service_error(Unavailable("The database did not answer. Try again in a moment."), request_id)
    if isinstance(error, RequestDataTooBig):
        return Response(error_body("The body is too large. Send it in smaller parts.", "too_large", request_id), 413)
    if isinstance(error, Http404):
        error = exceptions.NotFound(NOTHING_HERE)
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    code = _CODES.get(HTTPStatus(error.status_code), "error")
    message = sentence(error.detail)
    if isinstance(error, exceptions.MethodNotAllowed):
        message = f"This address does not know this method. It knows {allowed(view)}."
    if isinstance(error, exceptions.UnsupportedMediaType):
        taken = " or ".join(parser.media_type for parser in getattr(view, "parser_classes", []))
        message = f"Send {taken}, and say so in the header Content-Type."
    response = Response(error_body(message, code, request_id), status=error.status_code)
    if isinstance(error, exceptions.MethodNotAllowed):
        response["Allow"] = allowed(view)
    return response


def allowed(view: object) -> str:
    return ", ".join(getattr(view, "allowed_methods", []))


def sentence(detail: object, path: str = "") -> str:
    """Return what a serializer found as one sentence, the first of many: `labels.0.name: Send this too.`"""
    if isinstance(detail, Mapping):
        name, inner = next(iter(detail.items()))
        return sentence(inner, path if name == "non_field_errors" else f"{path}.{name}" if path else str(name))
    if isinstance(detail, list):
        index = next((index for index, inner in enumerate(detail) if inner), 0)
        is_of_items = isinstance(detail[index], Mapping | list)
        return sentence(detail[index], f"{path}.{index}" if is_of_items and path else path)
    if getattr(detail, "code", "") == "required" and path:
        return f"{path} is missing."
    return f"{path}: {detail}" if path else str(detail)


def _service_error(error: HundredfoldError, request_id: str) -> Response:
    status = status_of(error)
    facts = error.facts if isinstance(error, Duplicate) else None
    response = Response(error_body(error.message, error.code, request_id, facts), status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Throttled | StillAtWork):
        response["Retry-After"] = str(error.retry_after_s)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "1"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request.path):
        return _reply(request, HTTPStatus.BAD_REQUEST, "The request cannot be read.")
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request.path):
        return _reply(request, HTTPStatus.NOT_FOUND, NOTHING_HERE)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_api(request.path):
        return _reply(request, HTTPStatus.INTERNAL_SERVER_ERROR, GONE_WRONG)
    return defaults.server_error(request)


def _reply(request: HttpRequest, status: HTTPStatus, message: str) -> HttpResponse:
    return JsonResponse(error_body(message, _CODES[status], getattr(request, "request_id", "")), status=status)
