"""The OpenAPI document: drf-spectacular makes it of views and serializers; what all operations share is added here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.views.base import ApiView
from apps.core.ids import ALPHABET, LENGTH
from apps.events.kinds import Notify
from apps.workspaces import webhook_words
from apps.workspaces.access import DECLARED
from apps.workspaces.roles import Action
from apps.workspaces.scopes import scopes_of

Document = dict[str, Any]

IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=(
        "Words of your own, new for each request that is meant. Sent again with the same words, a request is answered "
        "as it was the first time and does nothing more: safe to repeat after a broken connection. Kept for 24 hours."
    ),
)
_MEANINGS = {
    HTTPStatus.BAD_REQUEST: "What was sent cannot be used; the message says how to mend it.",
    HTTPStatus.UNAUTHORIZED: "No valid key came with the request, or its owner has left.",
    HTTPStatus.PAYMENT_REQUIRED: "The workspace has reached one of its quotas.",
    HTTPStatus.FORBIDDEN: "The key may not do this; the message names the scope it lacks.",
    HTTPStatus.NOT_FOUND: "There is no such object, or it is not this key's.",
    HTTPStatus.CONFLICT: "Something stands in the way: it is there already, or is still being made.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of a kind that is not taken here.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The same Idempotency-Key came with another request.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests in too short a time: come back after the seconds in Retry-After.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server is as busy as it can be: come back after the seconds in Retry-After.",
}
_FIRST = {
    "/v1/functions/{function_id}/models",
    "/v1/functions/{function_id}/models/{model_id}",
    "/v1/functions/{function_id}/models/{model_id}/publish",
    "/v1/functions/{function_id}/monitoring",
    "/v1/search-functions/{function_id}/invoke",
    "/v0.9/functions/{function_id}",
}
_METHODS = ("post", "get", "put", "delete")
_WITH_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_OF_A_KEY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_COUNTED = ("/functions", "/samples", "/batch", "/invoke", "/search")
"""How addresses end whose POST counts towards a quota."""
_IN_THE_MAKING = "/result"
"""How addresses end that answer only once something is done."""
_NAMES_IN_BODY = {"/v1/functions"}
"""Where an object that is not there may be named in the body alone."""


class ErrorSerializer(WireSerializer):
    """What every error looks like."""

    message = serializers.CharField(help_text="What is wrong and what to do about it, for people.")
    code = serializers.CharField(help_text="What is wrong, for programs.")
    requestId = serializers.CharField(help_text="Names the request in the log of the server.")
    id = serializers.CharField(required=False, help_text="What is there already, where that is the trouble.")
    existingSampleId = serializers.CharField(
        required=False, help_text="The sample with this content that is there already."
    )


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself in an untyped hook
    """How requests say who they are from."""

    target_class = "apps.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, object]:
        return {"type": "http", "scheme": "bearer", "description": "A key, or a token of `/connect/token`."}


class Description(AutoSchema):
    """Adds to each operation what none of them says by itself: errors, the scope a key needs, repeating safely."""

    def get_override_parameters(self) -> list[Any]:
        own = list(super().get_override_parameters())
        return [*own, IDEMPOTENCY] if self.method == "POST" and self._takes_keys else own

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        if (empty := operation["responses"].pop("204", None)) is not None:  # whatever works is answered with 200 here
            operation["responses"]["200"] = {**empty, "description": "Done."}
        for status in self._errors(has_body="requestBody" in operation):
            operation["responses"].setdefault(str(int(status)), self._error(status))
        if self._takes_keys:
            operation["x-scope"] = self._scope
        return operation

    @property
    def _takes_keys(self) -> bool:
        return isinstance(self.view, ApiView)

    @property
    def _scope(self) -> str:
        action = getattr(getattr(self.view, self.method.lower()), DECLARED)
        return next(iter(scopes_of([Action(action)])), "").lower()

    def _errors(self, *, has_body: bool) -> Iterable[HTTPStatus]:
        found = {*_ALWAYS, *(_OF_A_KEY if self._takes_keys else ()), *(_WITH_BODY if has_body else ())}
        changes = self._takes_keys and self.method in {"POST", "PUT", "DELETE"}
        if changes or self.path.endswith(_IN_THE_MAKING):
            found |= {HTTPStatus.CONFLICT}
        if self._takes_keys and self.method == "POST":
            found |= {HTTPStatus.UNPROCESSABLE_ENTITY}
            found |= {HTTPStatus.PAYMENT_REQUIRED} if self.path.endswith(_COUNTED) else set()
        if "{" in self.path or (has_body and self.path in _NAMES_IN_BODY):
            found |= {HTTPStatus.NOT_FOUND}
        return sorted(found)

    def _error(self, status: HTTPStatus) -> dict[str, Any]:
        component = self.resolve_serializer(ErrorSerializer(), "response")
        return {
            "description": _MEANINGS[status],
            "content": {"application/json": {"schema": component.ref}},
        }


def show_lists_as_they_are(result: Document, **_options: object) -> Document:
    """Take off the list that the library puts around every example of a list, also where it is one already."""
    for path in result["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    for example in content.get("examples", {}).values():
                        value = example["value"]
                        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
                            example["value"] = value[0]
    return result


def say_what_ids_are(result: Document, **_options: object) -> Document:
    """Describe each id in an address once and the same everywhere."""
    for path in result["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"].endswith("_id"):
                    kind = parameter["name"].removesuffix("_id")
                    parameter["description"] = parameter.get("description") or f"The {kind}, `{kind}_` in front or not."
                    parameter["schema"] = {"type": "string", "example": f"{kind}_{ALPHABET[:LENGTH]}"}
    return result


def put_in_order(result: Document, **_options: object) -> Document:
    """Put what one reads first first: of a topic its main address, of an address what makes before what lists."""
    paths = sorted(result["paths"].items(), key=lambda item: item[0] not in _FIRST)
    result["paths"] = {path: dict(sorted(methods.items(), key=_rank)) for path, methods in paths}
    return result


def _rank(operation: tuple[str, Document]) -> tuple[bool, int]:
    method, node = operation
    return "older clients" in node["summary"], _METHODS.index(method)


def add_messages(result: Document, **_options: object) -> Document:
    """Add what webhooks are told, in the place that readers of such documents look for it."""
    messages: Document = {}
    for kind in Notify:
        content = {"application/json": {"schema": {"type": "object"}, "example": webhook_words.message(kind)}}
        described = {"summary": webhook_words.WORDS[kind], "requestBody": {"content": content}}
        done = {"200": {"description": "Anything from 200 to 299 ends it; otherwise it is sent again."}}
        messages[kind.value] = {"post": {**described, "responses": done}}
    result["x-webhooks"] = messages
    return result


@cache
def document() -> Document:
    """Return the whole document; it is the same for everybody and does not change while the process runs."""
    # Imported here: the map imports the views, which are described by the class above.
    from apps.api import urls
    from apps.api.description import calls

    generator = SchemaGenerator(patterns=[*urls.urlpatterns, *calls.urlpatterns])  # type: ignore[no-untyped-call]
    made: Document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made
