"""`/connect/token`: a client id and its secret for a token, as OAuth 2 has it (RFC 6749, section 4.4)."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import unquote

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.parsers import JsonParser
from apps.api.serializers.base import read
from apps.api.serializers.token import TokenRefusal, TokenReply, TokenRequest
from apps.api.views.base import KeylessView
from apps.core.errors import InvalidInput, NotSignedIn
from apps.workspaces.services import exchange

GRANT = "client_credentials"
_NAMES = {
    HTTPStatus.UNAUTHORIZED: "invalid_client",
    HTTPStatus.TOO_MANY_REQUESTS: "temporarily_unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
}


class UnknownGrant(InvalidInput):
    """Another way of signing in than the one there is."""

    code = "unsupported_grant_type"


class TokenView(KeylessView):
    """Signing in. What is asked here is never kept by anything on the way."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [FormParser, JsonParser, MultiPartParser]  # type: ignore[misc]

    @extend_schema(
        operation_id="getToken",
        summary="Sign in with a client id and its secret",
        tags=["Workspace"],
        auth=[],
        request={"application/x-www-form-urlencoded": TokenRequest, "application/json": TokenRequest},
        responses={
            200: TokenReply,
            400: OpenApiResponse(TokenRefusal, "The form lacks something."),
            401: OpenApiResponse(TokenRefusal, "The client id or its secret is wrong."),
            429: OpenApiResponse(TokenRefusal, "Too many wrong tries."),
        },
        examples=[
            OpenApiExample(
                "A client id and its secret",
                value={"grant_type": GRANT, "client_id": "hf_k3j9x2m4p8qa", "client_secret": "hf_k3j9x2m4p8qa_…"},
                request_only=True,
            ),
            OpenApiExample(
                "A token for an hour",
                value={"access_token": "hft_k3j9x2m4p8qa_…", "token_type": "Bearer", "expires_in": 3600},
                response_only=True,
                status_codes=["200"],
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Any standard client does this by itself. Ask again before the token ends; the same secret gives many."""
        asked = read(TokenRequest, request, given=_basic(request))
        if asked["grant_type"] != GRANT:
            raise UnknownGrant(f"Only grant_type={GRANT} is known here.")
        token = exchange(client_id=asked["client_id"], secret=asked["client_secret"])
        return Response({"access_token": token.text, "token_type": "Bearer", "expires_in": token.lifetime_s})

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(exc)
        default = exc.code if isinstance(exc, UnknownGrant) else "invalid_request"
        response.data["error"] = _NAMES.get(HTTPStatus(response.status_code), default)
        if isinstance(exc, NotSignedIn):
            response["WWW-Authenticate"] = 'Basic realm="Hundredfold", charset="UTF-8"'
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "no-store"
        final["Pragma"] = "no-cache"
        return final


def _basic(request: Request) -> dict[str, str]:
    """Return the client id and secret of a Basic header, if there is one. Raises InvalidInput.

    Both are percent-encoded there; a plus sign is itself, as curl and most clients send it.
    """
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client_id, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidInput("The Basic header must hold client_id:client_secret in base 64.") from error
    if not colon:
        raise InvalidInput("The Basic header must hold client_id:client_secret in base 64.")
    return {"client_id": unquote(client_id), "client_secret": unquote(secret)}
