"""What every endpoint shares: the key, the declared action, one shape of errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.authentication import KeyAuthentication
from apps.api.parsers import JsonParser
from apps.api.repeating import Replayed, claim_of, end_claim
from apps.core import caller
from apps.core.errors import NotSignedIn, TooLarge
from apps.workspaces import throttles
from apps.workspaces.access import DECLARED, Access
from apps.workspaces.models import ApiKey
from apps.workspaces.roles import Action
from apps.workspaces.services.idempotency import Claim

if TYPE_CHECKING:
    from rest_framework.views import AsView, GenericView  # there for type checkers alone

BY_KEY = "key"
"""What the URL map declares of these views; each of their methods declares its own action."""
BY_PAIR = "pair"
"""What it declares of the one view that gives tokens for secrets. Neither kind looks at cookies."""

MAX_SIGN_IN_BYTES = 64 * 1024
"""What is read of whoever has not said who they are."""

Handler = TypeVar("Handler", bound=Callable[..., HttpResponseBase])


def acts(action: Action) -> Callable[[Handler], Handler]:
    """Declare what a method of an endpoint does, as `requires` does for pages."""

    def decorate(handler: Handler) -> Handler:
        setattr(handler, DECLARED, action)
        return handler

    return decorate


def admit(request: Request, max_bytes: int = 0) -> None:
    """Let a request in by what can be told before anybody looks who it is from. Raises Throttled and TooLarge."""
    throttles.admit_address()
    most = max_bytes or settings.API_MAX_BYTES
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isdigit() and int(declared) > most:
        words = f"{most // 1024**2} MB. Send it in smaller parts." if most >= 1024**2 else f"{most // 1024} kB here."
        raise TooLarge(f"A request is at most {words}")


class KeylessView(APIView):
    """Where programs sign in: nobody is known yet."""

    authentication_classes: ClassVar[list[Any]] = []  # type: ignore[misc]
    http_method_names: ClassVar[list[str]] = ["post"]  # type: ignore[misc]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> AsView[GenericView]:
        view = super().as_view(**initkwargs)
        setattr(view, DECLARED, BY_PAIR)
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        admit(request, MAX_SIGN_IN_BYTES)
        super().initial(request, *args, **kwargs)


class ApiView(APIView):
    """One address, with a method for each verb. `self.access` fetches; `self.key` is who calls.

    class FunctionView(ApiView):
        @acts(Action.VIEW)
        def get(self, request: Request, function_id: str) -> Response:
            function = self.access.fetch(Function, function_id)
    """

    authentication_classes: ClassVar[list[type[KeyAuthentication]]] = [KeyAuthentication]  # type: ignore[misc]
    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "put", "delete"]  # type: ignore[misc]
    key: ApiKey
    access: Access
    _claim: Claim | None = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> AsView[GenericView]:
        view = super().as_view(**initkwargs)
        setattr(view, DECLARED, BY_KEY)
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        try:
            response = super().dispatch(request, *args, **kwargs)
        finally:
            if self._claim is not None:
                end_claim(self._claim, response)
        return response

    def handle_exception(self, exc: Exception) -> Response:
        return exc.response if isinstance(exc, Replayed) else super().handle_exception(exc)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        admit(request)
        super().initial(request, *args, **kwargs)
        if not isinstance(request.auth, ApiKey):
            raise NotSignedIn
        self.key = request.auth
        caller.shown(self.key.public_id)
        throttles.admit_key(self.key)
        action = getattr(getattr(self, (request.method or "").lower(), None), DECLARED, None)
        if action is None:  # a method this address has not, which `dispatch` says
            return
        self.access = Access(action, key=self.key)
        if request.method == "POST" and self.key.allows(action):
            self._claim = claim_of(request, self.key)


class PictureApiView(ApiView):
    """An address whose samples may be pictures: those come as files of a form, too."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [JsonParser, MultiPartParser]  # type: ignore[misc]
