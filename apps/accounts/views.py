"""Signing in and out: allauth's two views, the only ones of it that have an address."""

from collections.abc import Callable
from functools import wraps
from typing import Final

import redis
from allauth.account.views import login, logout
from django.http import HttpRequest, HttpResponseBase

from apps.core.errors import Unavailable

AllauthView = Callable[[HttpRequest], HttpResponseBase]


def _door(view: AllauthView) -> AllauthView:
    """Declare that anyone may open it, and say so in words when the counter of attempts cannot be reached."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponseBase:
        try:
            return view(request)
        except redis.RedisError as error:
            raise Unavailable("Signing in is not possible for a moment. Try again in a few seconds.") from error

    wrapped.declared_access = "public"  # type: ignore[attr-defined]  # what `workspaces.access` sets, a floor higher
    return wrapped


sign_in: Final = _door(login)
sign_out: Final = _door(logout)
